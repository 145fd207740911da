/**
 * The position in a log, by the times of `kubectl logs --timestamps`: a reader that reconnects continues there, without a lost or a
 * repeated line.
 */
export class LogPosition {
  private last = "";

  /** The text of a new line; null for a line that was read before. */
  take(stamped: string): string | null {
    const [, time = "", fraction = "", text = ""] = /^(\S+?)(?:\.(\d+))?Z(?: (.*))?$/s.exec(stamped) ?? [];
    if (time === "") return stamped; // without a time: an error message of the container runtime
    const at = `${time}.${fraction.padEnd(9, "0")}Z`; // as text it sorts by time
    if (at <= this.last) return null;
    this.last = at;
    return text;
  }

  /** The arguments of the next request: `first` before the first line, then everything since the second of the last line. */
  arguments(first: readonly string[]): readonly string[] {
    return this.last === "" ? first : [`--since-time=${this.last}`];
  }
}
