/** What the load says when its connections are open. */
export const connectedLine = "connected";

/** What became of the calls that count. */
export interface Measured {
  readonly calls: number;
  /** Calls by the address that they went to; those that were never sent stand under another name. */
  readonly perPeer: Readonly<Record<string, number>>;
  /** Calls by their status: OK, DEADLINE_EXCEEDED, … */
  readonly statuses: Readonly<Record<string, number>>;
  /** Of the calls that succeeded, from when they were due, in milliseconds; null when none did. */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  /** How late calls were sent: when this is much, the machine was too busy to measure. */
  readonly lagP99Ms: number | null;
}

/** Reads the line that `Tally` makes; undefined for any other. */
export function parseMeasured(line: string): Measured | undefined {
  if (!line.startsWith('{"calls":')) return undefined;
  return JSON.parse(line) as Measured;
}
