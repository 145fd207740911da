import type { ClientEvent } from "@grpc-lb/program";
import { parseCallLine } from "@grpc-lb/verdict";

/** What a line of a client says. */
export type ClientNews =
  | {
      readonly t: "call";
      /** Null when the call failed. */
      readonly pod: string | null;
      /** The reason of a failed call; empty for one that succeeded. */
      readonly error: string;
      /** Null when the client does not report times. */
      readonly ms: number | null;
      readonly connection: number | null;
    }
  | { readonly t: "opened"; readonly connection: number; readonly peer: string }
  | { readonly t: "goaway" | "closed"; readonly connection: number };

/** A client with events writes one for each call; after so many calls without, it has restarted without them. */
const linesWithoutEvents = 50;

/**
 * Reads the lines of one client: its events (`--events`), or `#N: <pod>` and `Error: <reason>` when it does not write events.
 * A client with events writes both for each call, and then only the events count.
 */
export class ClientLineReader {
  #hasEvents = false;
  #sinceEvent = 0;

  /** Whether the client writes events. */
  get hasEvents(): boolean {
    return this.#hasEvents;
  }

  /** @returns undefined for a line that says nothing new */
  read(line: string): ClientNews | undefined {
    const event = line.startsWith("{") ? parseEvent(line) : undefined;
    if (event) {
      this.#hasEvents = true;
      this.#sinceEvent = 0;
      return event;
    }
    const call = parseCallLine(line);
    if (!call) return undefined;
    this.#sinceEvent += 1;
    if (this.#sinceEvent > linesWithoutEvents) this.#hasEvents = false;
    if (this.#hasEvents) return undefined;
    const rest = { ms: null, connection: null } as const;
    return call.t === "call"
      ? { t: "call", pod: call.pod, error: "", ...rest }
      : { t: "call", pod: null, error: call.reason, ...rest };
  }
}

/** A field of any of the events. */
type EventField = ClientEvent extends infer E ? (E extends unknown ? keyof E : never) : never;

function parseEvent(line: string): ClientNews | undefined {
  const fields = parseObject(line);
  const field = (name: EventField) => fields[name];
  const given = field("connection");
  const connection = typeof given === "number" && Number.isSafeInteger(given) ? given : null;
  const event = field("event") as ClientEvent["event"] | undefined;
  if (event === "call") {
    const [pod, error, time] = [field("pod"), field("error"), field("ms")];
    const ms = typeof time === "number" && time >= 0 ? time : null;
    if (typeof pod === "string") return { t: "call", pod, error: "", ms, connection };
    return typeof error === "string" ? { t: "call", pod: null, error, ms, connection } : undefined;
  }
  if (connection === null) return undefined;
  const peer = field("peer");
  switch (event) {
    case "connection-opened":
      return { t: "opened", connection, peer: typeof peer === "string" ? peer : "" };
    case "goaway":
      return { t: "goaway", connection };
    case "connection-closed":
      return { t: "closed", connection };
    default:
      return undefined;
  }
}

function parseObject(line: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {}; // another line that begins with a brace
  }
}
