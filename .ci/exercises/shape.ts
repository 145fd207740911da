/** Compares the shape of an output with what a page shows, so that names, numbers and times may differ from run to run. */

/** Where an output differs from what the page shows. */
export interface Mismatch {
  /** The line of the expected text that nothing matches, from 0; its length when the output goes on after its end. */
  readonly line: number;
  readonly expected: string;
  /** The first line of the output that was not matched; empty when the output has ended. */
  readonly got: string;
}

/** The letters and digits that Kubernetes takes for names that it makes up. */
const random = "[bcdfghjklmnpqrstvwxz2456789]";
const generated = `(?:-${random}{6,10}-${random}{5}|-${random}{5}|-(?=${random}*\\d)${random}{8,10})`;
const nameEnd = "(?![\\w-])";
const address = "\\d{1,3}(?:\\.\\d{1,3}){3}";
const duration = "(?:\\d+(?:\\.\\d+)? ?(?:ms|µs|min|s|m|h|d)(?![A-Za-z]))+";
/** Of the day, with a date or without: `2026-11-27T05:51:52.450Z`, `05:51:52`. */
const clock = "(?:\\d{4}-\\d\\d-\\d\\dT)?\\d\\d:\\d\\d:\\d\\d(?:\\.\\d+)?Z?(?![\\w:])";
const number = "\\d+(?:\\.\\d+)?";
const zero = /^0+(?:\.0+)?$/;
const onlyZero = "0+(?:\\.0+)?(?!\\.?\\d)";

const tokens = new RegExp(
  [
    `(?<any>…)`,
    `(?<![\\d.])(?<address>${address})(?![\\d.]*\\d)`,
    `(?<![\\w-])(?<stem>[a-z][a-z0-9-]*?)${generated}${nameEnd}`,
    `(?<![\\w:.-])(?<clock>${clock})`,
    `(?<duration>${duration})`,
    `(?<number>${number})`,
    `(?<space>\\s+)`,
    `(?<text>[\\s\\S])`,
  ].join("|"),
  "gu",
);

/**
 * Compares an output with what a page shows, line by line:
 *
 * - `…` stands for any text in a line, and alone in a line for any lines.
 * - A name that Kubernetes made up (`server-549fd9df7f-b9995`) and an IPv4 address stand for another one of that form. The same
 *   one stays the same, and different ones stay different.
 * - A time of the day stands for any.
 * - A time with its unit stands for any time, and a number for any number; but 0 stands for 0 only, and no other number for 0.
 * - Spaces count as one; empty lines and colours do not count.
 *
 * @returns undefined if they match
 */
export function findMismatch(expected: string, output: string): Mismatch | undefined {
  const wanted = tidyLines(expected);
  const text = toText(tidyLines(output));
  const patterns = compile(wanted);
  if (new RegExp(`^${patterns.join("")}$`, "u").test(text)) return undefined;
  for (let length = wanted.length; length >= 0; length -= 1) {
    const found = new RegExp(`^${patterns.slice(0, length).join("")}`, "u").exec(text);
    if (!found) continue;
    const got = text.slice(found[0].length).split("\n")[0] ?? "";
    return { line: length, expected: wanted[length] ?? "", got };
  }
  throw new Error("an empty pattern matches every text");
}

/** A regular expression for each line. Names are groups, so that a later line refers to them. */
function compile(lines: readonly string[]): string[] {
  const groups = new Map<string, string>();
  const toName = (name: string, pattern: string): string => {
    const known = groups.get(name);
    if (known !== undefined) return `\\k<${known}>${nameEnd}`;
    const others = [...groups.values()].map((group) => `(?!\\k<${group}>${nameEnd})`).join("");
    const group = `name${groups.size}`;
    groups.set(name, group);
    return `${others}(?<${group}>${pattern})${nameEnd}`;
  };
  return lines.map((line) => {
    if (line === "…") return "(?:[^\\n]*\\n)*?";
    const parts = [...line.matchAll(tokens)].map(({ 0: token, groups: kind = {} }) => {
      if (kind.any) return "[^\\n]*?";
      if (kind.address) return toName(token, address);
      if (kind.stem) return toName(token, escapeText(kind.stem) + generated);
      if (kind.clock) return clock;
      if (kind.duration) return duration;
      if (kind.number) return zero.test(token) ? onlyZero : `(?!${onlyZero})${number}`;
      return kind.space ? "[ \\t]+" : escapeText(token);
    });
    return `${parts.join("")}\\n`;
  });
}

/** Lines without colours, outer spaces, and those that are empty. */
function tidyLines(text: string): string[] {
  return text
    .replaceAll(escapes, "")
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

const escapes = new RegExp(`${String.fromCharCode(27)}\\[[0-9;?]*[A-Za-z]`, "g");

const toText = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join("");

const escapeText = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
