/** How much of a text an error repeats, in characters. */
const mostShown = 200;

/** `name=value`, wherever it stands, with the `=` also as an escape. The value ends where another pair may begin. */
const pair = /([\w.%-]+)(\s*(?:=|%3d)\s*)([^&;#]*)/gi;

/** Text that may be a token: of the characters of hex, base64, UUIDs and JWTs. */
const run = /[\w+-]{20,}/g;

/** Whether a run is more likely to be a token than a name, which is in lower case, in words of fewer characters. */
function isToken(text: string): boolean {
  if (/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/i.test(text)) return true;
  const isMixed = (piece: string) => /\d/.test(piece) && /[a-z]/i.test(piece);
  if (text.split(/[-_]/).some((piece) => piece.length >= 20 && isMixed(piece))) return true;
  return isMixed(text) && /[a-z]/.test(text) && /[A-Z]/.test(text);
}

/** What a redacted target may show. */
export interface Shown {
  /** Whether its scheme is known: then its path has a name, and not something else. */
  readonly isKnown: boolean;
  /** The parameters whose values are shown. */
  readonly parameters: readonly string[];
}

/**
 * A target as an error may repeat it, without anything that may be a secret: no user or password, no value of a parameter that is
 * not known, no token, and of a target whose scheme is not known no path. Control characters are escaped, and a long text is cut.
 * Takes time in proportion to the text.
 */
export function redactTarget(text: string, { isKnown, parameters }: Shown): string {
  const [scheme = ""] = /^[a-z][a-z0-9+.-]{0,30}:/i.exec(text) ?? [];
  if (isKnown) return redactText(text, parameters);
  if (/^[a-z][a-z0-9.-]{0,252}:\d{1,5}$/i.test(text)) return text; // host:port
  if (!text.startsWith("//", scheme.length)) return text === "" ? "" : "…";
  const [authority = "", ...rest] = redactText(text.slice(scheme.length + 2), []).split(/[/?#]/);
  return `${scheme}//${authority}${rest.length > 0 ? "/…" : ""}`;
}

/** What is wrong with a target, which may repeat pieces of it, by the same rules. */
export function redactReason(why: string, parameters: readonly string[]): string {
  const first = why.indexOf('"');
  const last = why.lastIndexOf('"');
  if (last <= first) return cut(why);
  const words = why.slice(first + 1, last);
  const isName = !why.startsWith("unknown parameter") || /^[\w.%-]*$/.test(words);
  const quoted = isName ? redactText(words, parameters) : redactText(`?${words}`, parameters).slice(1);
  return `${cut(why.slice(0, first))}"${quoted}"${cut(why.slice(last + 1))}`;
}

function redactText(text: string, parameters: readonly string[]): string {
  const at = Math.max(text.lastIndexOf("@"), text.toLowerCase().lastIndexOf("%40"));
  let shown = text;
  if (at >= 0) {
    const [scheme = ""] = /^[a-z][a-z0-9+.-]{0,30}:\/+/i.exec(text) ?? [];
    shown = `${scheme}…@${text.slice(at + (text[at] === "@" ? 1 : 3))}`;
  }
  return cut(
    withoutLooseWords(shown.slice(0, 10 * mostShown))
      .replace(pair, (whole, name: string, sign: string) => (parameters.includes(name) ? whole : `${name}${sign}…`))
      .replace(run, (text) => (isToken(text) ? "…" : text))
      .replace(/…(\.…)+/g, "…"),
  );
}

/** Leaves out the fragment, and the pieces of a query that are neither pairs nor names. */
function withoutLooseWords(text: string): string {
  const [address = "", ...fragment] = text.split("#");
  const [path = "", ...query] = address.split("?");
  const pieces = query.map((piece) => piece.replace(/[^&;]+/g, (one) => (/=|%3d|^[\w.%-]*$/i.test(one) ? one : "…")));
  return [path, ...pieces].join("?") + (fragment.length > 0 ? "#…" : "");
}

function cut(text: string): string {
  const short = text.length > mostShown ? `${text.slice(0, mostShown)}…` : text;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these must not reach a terminal
  return short.replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, (char) => {
    return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
