/** A line of a client: a call that succeeded, or one that failed. */
export type CallLine =
  | { readonly t: "call"; readonly number: number; readonly pod: string }
  | { readonly t: "error"; readonly reason: string };

/** Parses a client's line, `#N: <pod>` or `Error: <reason>`. @returns undefined for any other line */
export function parseCallLine(line: string): CallLine | undefined {
  const call = /^#([1-9]\d*): ([^\s\p{C}]+)$/u.exec(line);
  if (call?.[1] && call[2]) return { t: "call", number: Number(call[1]), pod: call[2] };
  const error = /^Error: (.+)$/.exec(line);
  return error?.[1] ? { t: "error", reason: error[1] } : undefined;
}
