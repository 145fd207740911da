/**
 * How far a log has been read, by the times that `kubectl logs --timestamps` puts before its lines: a reader that lost its
 * connection goes on from there and neither loses a line nor gives one twice.
 */
export class LogPosition {
  private last = "";

  /** The text of a line that has not been read before; null for one that has. */
  take(stamped: string): string | null {
    const [, time = "", fraction = "", text = ""] = /^(\S+?)(?:\.(\d+))?Z(?: (.*))?$/s.exec(stamped) ?? [];
    if (time === "") return stamped; // no time is on it: some runtimes' own complaints
    const at = `${time}.${fraction.padEnd(9, "0")}Z`; // as text it sorts by time
    if (at <= this.last) return null;
    this.last = at;
    return text;
  }

  /** What to ask for next: `first` before there was a line, and after that all from the last line's second on. */
  arguments(first: readonly string[]): readonly string[] {
    return this.last === "" ? first : [`--since-time=${this.last}`];
  }
}
