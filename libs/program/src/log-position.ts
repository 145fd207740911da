/**
 * The position in a pod's log, by the times that the kubelet writes before its lines: a reader that reconnects continues there,
 * without a lost or a repeated line.
 */
export class LogPosition {
  #last = "";

  /** The text of a new line; null for a line that was read before. */
  take(stamped: string): string | null {
    const [, time = "", fraction = "", text = ""] = /^(\S+?)(?:\.(\d+))?Z(?: (.*))?$/s.exec(stamped) ?? [];
    if (time === "") return stamped; // without a time: an error message of the container runtime
    const at = `${time}.${fraction.padEnd(9, "0")}Z`; // as text it sorts by time
    if (at <= this.#last) return null;
    this.#last = at;
    return text;
  }

  /** The time of the last line, from which the next request continues; empty before the first line. */
  get since(): string {
    return this.#last;
  }
}
