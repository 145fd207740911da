/** Long enough for every message of this project; a line of a terminal is 80 to 200 characters. */
const defaultMaxLength = 2_000;

/**
 * Makes text of another process or of a peer safe to write as one line to a terminal or a log: it is cut, line ends with the
 * spaces around them become one space, and every other control or format character (escape sequences, bidirectional
 * overrides) becomes its code, such as `\x1b`. Takes time linear in `maxLength`, whatever the text.
 *
 * @param maxLength in UTF-16 code units; longer text ends with "…"
 */
export function printableLine(text: string, maxLength = defaultMaxLength): string {
  const cut = text.length > maxLength ? `${text.slice(0, maxLength - 1)}…` : text;
  return cut
    .split(/[\r\n]+/)
    .map((part, n, parts) => {
      const begun = n > 0 ? part.trimStart() : part;
      return n < parts.length - 1 ? begun.trimEnd() : begun;
    })
    .join(" ")
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, escapeCharacter);
}

function escapeCharacter(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return code <= 0xff ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
}
