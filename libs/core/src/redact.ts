/** How much of a text an error repeats, in characters. */
const mostShown = 200;

/** A scheme, and the slashes behind it. */
const schemePattern = /^[a-z][a-z0-9+.-]{0,30}:\/+/i;

/** An `@`, also escaped, once or several times. */
const atPattern = /@|%(?:25)*40/gi;

/** `name=value`, wherever it stands, with the `=` also as an escape. The value ends where another pair may begin. */
const pair = /([\w.%-]+)(\s*(?:=|%(?:25)*3d)\s*)([^&;#]*)/gi;

/** In a path: another word, or behind an escape a query, a parameter or a fragment. */
const otherWord = /(?:\s|%(?:25)*(?:0[9ad]|2[036]|3[bf])).*$/is;

/** In the value of a parameter: where something else may begin that is not its value. */
const unclearValue = /[=?\s]|%(?:25)*(?:2[36]|3[bdf])/i;

/** In an address: where a query, a fragment, a parameter, a value, an escape or another word may begin. */
const unclear = /[?#;&=%\s]/;

/** Text that may be a token: of the characters of hex, base64, UUIDs and JWTs. */
const run = /[\w+-]{20,}/g;

/** Whether a run is more likely to be a token than a name, which is in lower case, in words of fewer characters. */
export function isToken(text: string): boolean {
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

/**
 * What should be an address or a URL as an error may repeat it: without a user and a password, without tokens, and to the first
 * character that an address does not have. Control characters are escaped, and a long text is cut. Takes time in proportion to
 * the text.
 */
export function redactAddress(text: string): string {
  if (text.trim() === "") return cut(text);
  const [scheme = ""] = schemePattern.exec(text) ?? [];
  const shown = withoutUser(text);
  const begin = shown.startsWith("…@", scheme.length) ? scheme.length + 2 : scheme.length;
  const length = shown.slice(begin).search(unclear);
  const end = begin + length;
  const mark = /[?#]/.test(shown[end] ?? "") ? shown[end] : "";
  return cut(withoutTokens(length < 0 ? shown : `${shown.slice(0, end)}${mark}…`));
}

/** Between two pieces of a target in a reason. */
const between = '" and "';

/** What is wrong with the target `text`, which may repeat pieces of it, such as `"a"` or `"a" and "b"`, by the same rules. */
export function redactReason(why: string, text: string, parameters: readonly string[]): string {
  const first = why.indexOf('"');
  const last = why.lastIndexOf('"');
  if (last <= first) return cut(why);
  const words = why.slice(first + 1, last);
  const beforeHost = text.slice(0, endOfUser(text));
  const isQuery = why.startsWith("unknown parameter") && !/^[\w.%-]*$/.test(words);
  const redact = (piece: string) => {
    if (piece !== "" && beforeHost.includes(piece)) return "…";
    return isQuery ? redactText(`?${piece}`, parameters).slice(1) : redactText(piece, parameters);
  };
  const quoted = words.split(between).slice(0, 2).map(redact).join(between);
  return `${cut(why.slice(0, first))}"${quoted}"${cut(why.slice(last + 1))}`;
}

function redactText(text: string, parameters: readonly string[]): string {
  const shown = withoutLooseWords(withoutUser(text).slice(0, 10 * mostShown));
  const pairs = shown.replace(pair, (whole, name: string, sign: string, value: string) =>
    parameters.includes(name) && !unclearValue.test(value) ? whole : `${name}${sign}…`,
  );
  return cut(withoutTokens(pairs).replace(/…(\.…)+/g, "…"));
}

/** Leaves out what precedes the last `@`: a password may have any character. */
function withoutUser(text: string): string {
  const end = endOfUser(text);
  if (end === 0) return text;
  const [scheme = ""] = schemePattern.exec(text) ?? [];
  return `${scheme}…@${text.slice(end)}`;
}

/** Where the last `@` ends; 0 if there is none. */
function endOfUser(text: string): number {
  let end = 0;
  for (const { index, 0: at } of text.matchAll(atPattern)) end = index + at.length;
  return end;
}

/** Leaves out the fragment, other words than the first, and the pieces of a query that are neither pairs nor names. */
function withoutLooseWords(text: string): string {
  const [address = "", ...fragment] = text.split("#");
  const [path = "", ...query] = address.split("?");
  const pieces = query.map((piece) =>
    piece.replace(/[^&;]+/g, (one) => (/=|%(?:25)*3d|^[\w.%-]*$/i.test(one) ? one : "…")),
  );
  return [path.replace(otherWord, "…"), ...pieces].join("?") + (fragment.length > 0 ? "#…" : "");
}

function withoutTokens(text: string): string {
  return text.replace(run, (piece) => (isToken(piece) ? "…" : piece));
}

function cut(text: string): string {
  const short = text.length > mostShown ? `${text.slice(0, mostShown)}…` : text;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these must not reach a terminal
  return short.replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, (char) => {
    return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
