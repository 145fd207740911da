import { durationFlag, integerFlag, textFlag } from "@grpc-lb/program";

/** The header with the key of a call, for the hash policies. */
export const keyHeader = "x-key";
/** The number of keys. Each call has a random one. */
export const keyCount = 1_000;

/** The flags of the load program. */
export const loadFlags = {
  target: textFlag({ help: "gRPC target of the servers", default: "" }),
  serviceConfig: textFlag({ metavar: "json", help: "gRPC service config", default: "{}" }),
  rate: integerFlag({ help: "calls a second", default: 500, min: 1 }),
  warmUp: durationFlag({ help: "how long to call before calls count", default: 1_500 }),
  duration: durationFlag({ help: "how long to call after the warm-up", default: 3_000 }),
  deadline: durationFlag({ help: "deadline of a call", default: 300, minMs: 1 }),
  seed: integerFlag({ help: "seed of everything random", default: 1, min: 0 }),
};

/** The first line that the load program prints: its connections are open. */
export const connectedLine = "connected";

/** The second line that the load program prints, as JSON: the calls after the warm-up. */
export interface Measured {
  readonly calls: number;
  /** Calls by the address of the server. Calls that were never sent have another key. */
  readonly perPeer: Readonly<Record<string, number>>;
  /** Calls by the name of their status: OK, DEADLINE_EXCEEDED, … */
  readonly statuses: Readonly<Record<string, number>>;
  /** Latencies of the successful calls, from the time when they were due, in milliseconds; null when there are none. */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  /** The delay between when calls were due and when they started. A large one means that the machine was too busy. */
  readonly lagP99Ms: number | null;
}

/** Parses the line with the measurement; returns undefined for any other line. */
export function parseMeasured(line: string): Measured | undefined {
  if (!line.startsWith('{"calls":')) return undefined;
  return JSON.parse(line) as Measured;
}
