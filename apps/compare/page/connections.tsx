import type { PageConnection, PageConnections } from "./protocol.ts";

/** More are shown as marks without a text. */
const maxPipes = 5;

/** The connections of a client that are open. They are not the calls: one may carry all of them. */
export function Connections({ connections, isCompact }: { connections: PageConnections | null; isCompact: boolean }) {
  if (!connections) {
    return (
      <ul class="connections" aria-label="Connections">
        <Pipe name="not reported" text="" kind="unknown" />
      </ul>
    );
  }
  const { open, openCount, opened, isOnePerCall } = connections;
  if (isOnePerCall) {
    return (
      <ul class="connections" aria-label="Connections">
        <Pipe name="one per call:" text={String(opened)} kind="fleeting" />
      </ul>
    );
  }
  if (openCount > maxPipes || (isCompact && openCount > 0)) {
    return (
      <ul class="connections dense" aria-label="Connections">
        {open.map((each) => (
          <li
            key={each.number}
            class={`mark${each.isGoingAway ? " away" : ""}`}
            data-connection={each.number}
            title={describe(each)}
            aria-label={describe(each)}
          />
        ))}
        <li class="count" data-connection="any" title={`${opened} so far`}>
          {openCount} open
        </li>
      </ul>
    );
  }
  return (
    <ul class="connections" aria-label="Connections">
      {open.map((each) => (
        <Pipe
          key={each.number}
          name={each.isGoingAway ? "GOAWAY" : `conn ${each.number}`}
          text={`${each.calls} calls`}
          kind={each.isGoingAway ? "away" : ""}
          title={describe(each)}
          connection={String(each.number)}
        />
      ))}
      {open.length === 0 && <Pipe name="none open" text="" kind="unknown" />}
    </ul>
  );
}

interface PipeProps {
  readonly name: string;
  readonly text: string;
  readonly kind: string;
  readonly title?: string;
  readonly connection?: string;
}

/** A connection, with a lane in which its calls travel. */
function Pipe({ name, text, kind, title = "", connection = "any" }: PipeProps) {
  return (
    <li class={`pipe ${kind}`} title={title}>
      <b>{name}</b> <span>{text}</span>
      <div class="lane" data-connection={connection} />
    </li>
  );
}

const describe = ({ number, peer, calls, pods }: PageConnection) =>
  `connection ${number} to ${peer}: ${calls} calls, answered by ${pods.join(", ") || "no pod yet"}`;
