import type { FieldPath } from "./fields.ts";

/** The deepest nesting that is read: V8 takes seconds for millions of levels. */
export const maxDepth = 100;
/** Why a text with more is refused. */
export const tooDeep = `nested more than ${maxDepth} levels deep`;

/** The most values, those that contain others included: V8 takes long for many, and the event loop waits meanwhile. */
export const maxJsonValues = 200_000;
/** The most names in one object. */
export const maxNames = 1_000;
/** The most different names in a text: V8 takes longer for a name that it meets for the first time. */
export const maxDifferentNames = 10_000;
/** Why an object with more is refused. */
export const tooManyNames = `an object has more than ${maxNames} names`;

/** Why a text has more structure than is parsed in time, and its line; undefined if it does not. Does not parse it. */
export function* refuseStructure(
  text: string,
): Generator<void, { readonly why: string; readonly line: number } | undefined> {
  /** The number of names so far in each open object; NaN for a list, as colons in YAML's lists are parts of values. */
  const open: number[] = [];
  const names = new Set<string>();
  let lastText: readonly [start: number, end: number] = [0, 0];
  let values = 1;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (at % 16_384 === 0) yield;
    if (char === '"') {
      lastText = [at, endOfString(text, at)];
      at = lastText[1] - 1;
    } else if (char === "]" || char === "}") open.pop();
    else if (char === ",") values += 1;
    else if (char === ":" && open.length > 0) {
      open[open.length - 1] = (open.at(-1) as number) + 1;
      names.add(text.slice(...lastText));
    } else if (char === "[" || char === "{") {
      open.push(char === "{" ? 0 : Number.NaN);
      values += 1;
    } else continue;
    const refuse = (why: string) => ({ why, line: lineAt(text, at) });
    if (open.length > maxDepth) return refuse(tooDeep);
    if ((open.at(-1) ?? 0) > maxNames) return refuse(tooManyNames);
    if (names.size > maxDifferentNames) return refuse(`more than ${maxDifferentNames} different names`);
    if (values > maxJsonValues) return refuse(`more than ${maxJsonValues} values`);
  }
  return undefined;
}

/** Describes a syntax error in a text of JSON in one line and without the text, and returns its line, from 1. */
export function* describeSyntaxError(
  text: string,
  { message }: Error,
): Generator<void, { readonly why: string; readonly line: number }> {
  if (message.startsWith("Unexpected end")) return { why: message, line: lineAt(text, text.length) };
  const position = / in JSON at position (\d+)/.exec(message)?.[1];
  const why = message.replace(/ (in|after) JSON at position .*/s, "").replace(/, (\.\.\.)?".*/s, "");
  return { why, line: lineAt(text, position === undefined ? yield* offsetOfWrongToken(text) : Number(position)) };
}

const scalar = /^(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|".*")$/s;

/** Where the first token is that JSON does not allow there; V8 does not always report it. */
function* offsetOfWrongToken(text: string): Generator<void, number> {
  const open: string[] = [];
  /** What may come: a value, one or the end of a list, a key, one or the end of an object, a colon, or a comma or an end. */
  let next: "value" | "value]" | "key" | "key}" | ":" | "," = "value";
  for (let at = 0, end = 0; at < text.length; at = end) {
    yield;
    end = endOfToken(text, at);
    const char = text[at] as string;
    if (char <= " ") continue;
    const isClose = char === (open.at(-1) === "[" ? "]" : "}") && open.length > 0;
    if (isClose && (next === "," || next === "value]" || next === "key}")) {
      open.pop();
      next = ",";
    } else if (next === "," || next === ":") {
      if (char !== next || (next === "," && open.length === 0)) return at;
      next = next === ":" || open.at(-1) === "[" ? "value" : "key";
    } else if (next.startsWith("key")) {
      if (char !== '"') return at;
      next = ":";
    } else if (char === "[" || char === "{") {
      open.push(char);
      next = char === "[" ? "value]" : "key}";
    } else {
      if (!scalar.test(text.slice(at, end))) return at;
      next = ",";
    }
  }
  return text.length;
}

/** The line of a field in a text that is JSON, or of the nearest one that contains it, from 1. */
export function* lineOfField(text: string, path: FieldPath): Generator<void, number> {
  /** The path of the next value; undefined in an object whose next key is not read yet. */
  const place: (string | number | undefined)[] = [];
  let known = -1;
  let offset = 0;
  for (let at = 0, end = 0; at < text.length; at = end) {
    yield;
    end = endOfToken(text, at);
    const char = text[at] as string;
    const last = place.at(-1);
    if (char <= " ") continue;
    if (char === "}" || char === "]") {
      place.pop();
    } else if (char === ",") {
      place[place.length - 1] = typeof last === "number" ? last + 1 : undefined;
    } else if (place.length > 0 && last === undefined) {
      place[place.length - 1] = JSON.parse(text.slice(at, end)) as string;
    } else if (char !== ":") {
      // A path that is deeper than the wanted one is never a prefix of it.
      const isOnTheWay = place.length > known && place.length <= path.length;
      if (isOnTheWay && place.every((part, n) => part === path[n])) [known, offset] = [place.length, at];
      if (known === path.length) break;
      if (char === "{") place.push(undefined);
      if (char === "[") place.push(0);
    }
  }
  return lineAt(text, offset);
}

/** The path and the line of the first name that is given twice in an object of a text that is JSON: JSON.parse takes the last one. */
export function* findDuplicate(
  text: string,
): Generator<void, { readonly path: FieldPath; readonly line: number } | undefined> {
  /** Of each open object the names so far and the last one; of each open list the index. */
  const open: { readonly names?: Set<string>; at: string | number }[] = [];
  let isName = false;
  for (let at = 0, end = 0; at < text.length; at = end) {
    yield;
    end = endOfToken(text, at);
    const char = text[at] as string;
    const last = open.at(-1);
    if (char === "{" || char === "[") {
      open.push(char === "{" ? { names: new Set(), at: "" } : { at: 0 });
      isName = char === "{";
    } else if (char === "}" || char === "]") {
      open.pop();
      isName = false;
    } else if (char === "," && last) {
      isName = last.names !== undefined;
      if (typeof last.at === "number") last.at += 1;
    } else if (char === '"' && isName && last?.names) {
      isName = false;
      last.at = JSON.parse(text.slice(at, end)) as string;
      if (last.names.has(last.at)) return { path: open.map((one) => one.at), line: lineAt(text, at) };
      last.names.add(last.at);
    }
  }
  return undefined;
}

/** The end of the token, or of the white space, that begins at an offset. */
function endOfToken(text: string, at: number): number {
  const first = text[at] as string;
  if (first === '"') return endOfString(text, at);
  const isSpace = first <= " ";
  let end = at + 1;
  if (!isSpace && punctuation.has(first)) return end;
  for (; end < text.length; end++) {
    const char = text[end] as string;
    if (isSpace ? char > " " : char <= " " || char === '"' || punctuation.has(char)) break;
  }
  return end;
}

const punctuation = new Set("{}[],:");

/** The end of the string that begins at an offset. */
function endOfString(text: string, at: number): number {
  let end = at + 1;
  while (end < text.length && text[end] !== '"') end += text[end] === "\\" ? 2 : 1;
  return end + 1;
}

function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf("\n"); at >= 0 && at < offset; at = text.indexOf("\n", at + 1)) line += 1;
  return line;
}
