/** A line of a pod's log with the time that the container runtime wrote before it. */
export interface StampedLine {
  /** In UTC with nine digits of a second: as text it sorts by time. */
  readonly time: string;
  readonly atMs: number;
  readonly text: string;
}

/**
 * Parses a line of a log with times (`kubectl logs --timestamps`). The times are RFC 3339: a node whose time zone is not UTC writes
 * its offset.
 *
 * @returns undefined for a line without a time: an error message of the container runtime
 */
export function parseStampedLine(stamped: string): StampedLine | undefined {
  const [, seconds, fraction = "", offset, text = ""] =
    /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)(?: (.*))?$/s.exec(stamped) ?? [];
  const wholeMs = Date.parse(`${seconds}${offset}`);
  if (Number.isNaN(wholeMs)) return undefined;
  const time = `${new Date(wholeMs).toISOString().slice(0, -".000Z".length)}.${fraction.padEnd(9, "0")}Z`;
  return { time, atMs: Date.parse(time), text };
}

/**
 * The position in a pod's log, by the times before its lines: a reader that reconnects continues there, without a lost or a
 * repeated line.
 */
export class LogPosition {
  #last = "";

  /** The text of a new line; null for a line that was read before. */
  take(stamped: string): string | null {
    const line = parseStampedLine(stamped);
    if (line === undefined) return stamped;
    if (line.time <= this.#last) return null;
    this.#last = line.time;
    return line.text;
  }

  /** The time of the last line, from which the next request continues; empty before the first line. */
  get since(): string {
    return this.#last;
  }
}
