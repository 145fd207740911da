import { useEffect, useRef } from "preact/hooks";
import { Connections } from "./connections.tsx";
import { formatMs } from "./format.ts";
import { Pods } from "./pods.tsx";
import type { PageClient, PagePod, PageVerdict } from "./protocol.ts";
import type { Traffic } from "./traffic.ts";

interface ClientPanelProps {
  readonly client: PageClient;
  readonly index: number;
  readonly pods: readonly PagePod[];
  readonly traffic: Traffic;
  /** Whether there are so many panels that this one is small. */
  readonly isCompact: boolean;
  /** Whether there are so few panels that this one is as high as the screen allows. */
  readonly isTall: boolean;
}

/** One strategy: client → connections → pods, and its numbers. */
export function ClientPanel({ client, index, pods, traffic, isCompact, isTall }: ClientPanelProps) {
  const stage = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const [on, draws] = [stage.current, canvas.current];
    return on && draws ? traffic.attach(index, on, draws) : undefined;
  }, [index]);
  useEffect(() => traffic.layout(index));
  const { name, way, why, callsPerSecond, p50Ms, p99Ms, failed, lastError, connections, verdict } = client;
  return (
    <section class="panel" aria-label={name}>
      <div class="title">
        <h2>{name}</h2>
        <span class="way">{way}</span>
        <Verdict verdict={verdict} />
      </div>
      <div class="stage" ref={stage}>
        <canvas ref={canvas} />
        <div class="source" data-source>
          client
        </div>
        <Connections connections={connections} isCompact={isCompact} />
        <Pods {...{ pods, verdict, isCompact, isTall }} />
      </div>
      <dl title={lastError === "" ? why : `${why} Last error: ${lastError}`}>
        <Figure name="calls/s" value={String(Math.round(callsPerSecond))} />
        <Figure name="p50" value={formatMs(p50Ms)} />
        <Figure name="p99" value={formatMs(p99Ms)} />
        <Figure name="failed" value={String(failed)} isBad={failed > 0} />
      </dl>
    </section>
  );
}

function Figure({ name, value, isBad = false }: { name: string; value: string; isBad?: boolean }) {
  return (
    <div class={isBad ? "bad" : ""}>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

/** The word has a shape too, for those who do not see its colour. */
const shapes = { BALANCED: "✓", SKEWED: "▲", PINNED: "●" } as const;

function Verdict({ verdict }: { verdict: PageVerdict }) {
  const { word, calls, needed, pods } = verdict;
  if (word) {
    return (
      <strong class={`verdict verdict-${word.toLowerCase()}`}>
        <span aria-hidden="true">{shapes[word]}</span> {word}
      </strong>
    );
  }
  const isAlone = pods < 2 && calls > 0;
  return <span class="verdict">{isAlone ? "one pod" : `counting ${Math.min(calls, needed)}/${needed}`}</span>;
}
