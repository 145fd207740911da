import type { Line, Tone } from "./line.ts";

/** Of the 256-colour palette; distinct on dark and light backgrounds. Without green and red, which stand for good and bad. */
const podColours = [38, 176, 178, 105, 137, 30, 133, 109, 245] as const;

const reset = "\x1b[0m";

function codeOf(tone: Tone): string {
  switch (tone) {
    case "plain":
      return "";
    case "strong":
      return "1";
    case "faint":
      return "2";
    case "good":
      return "1;32";
    case "bad":
      return "1;31";
    case "warning":
      return "1;33";
    default:
      return `38;5;${podColours[tone.pod % podColours.length]}`;
  }
}

const textOf = (line: Line) =>
  line
    .map(({ text }) => text)
    .join("")
    .trimEnd();

/** Converts a line to text for a terminal, without trailing blanks. Without colour the text has no escape codes. */
export function paint(line: Line, isColoured: boolean): string {
  if (!isColoured) return textOf(line);
  let left = textOf(line).length;
  let painted = "";
  for (const { text, tone } of line) {
    const kept = text.slice(0, Math.max(0, left));
    left -= text.length;
    const code = kept.trim() === "" ? "" : codeOf(tone);
    painted += code === "" ? kept : `\x1b[${code}m${kept}${reset}`;
  }
  return painted;
}
