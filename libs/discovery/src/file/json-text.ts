import type { FieldPath } from "./fields.ts";

/** The deepest nesting that is read: V8 takes seconds for millions of levels. */
export const maxDepth = 100;
/** Why a text with more is refused. */
export const tooDeep = `nested more than ${maxDepth} levels deep`;

/** Whether brackets and braces are nested more than `maxDepth` levels deep. */
export function isTooDeep(text: string): boolean {
  let depth = 0;
  for (let at = 0; at < text.length && depth <= maxDepth; at++) {
    const char = text[at];
    if (char === '"') at = endOfString(text, at) - 1;
    else if (char === "[" || char === "{") depth += 1;
    else if (char === "]" || char === "}") depth -= 1;
  }
  return depth > maxDepth;
}

/** Describes a syntax error in a text of JSON in one line and without the text, and returns its line, from 1. */
export function describeSyntaxError(text: string, { message }: Error): { readonly why: string; readonly line: number } {
  if (message.startsWith("Unexpected end")) return { why: message, line: lineAt(text, text.length) };
  const position = / in JSON at position (\d+)/.exec(message)?.[1];
  const why = message.replace(/ (in|after) JSON at position .*/s, "").replace(/, (\.\.\.)?".*/s, "");
  return { why, line: lineAt(text, position === undefined ? offsetOfWrongToken(text) : Number(position)) };
}

const scalar = /^(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|".*")$/s;

/** Where the first token is that JSON does not allow there; V8 does not always report it. */
function offsetOfWrongToken(text: string): number {
  const open: string[] = [];
  /** What may come: a value, one or the end of a list, a key, one or the end of an object, a colon, or a comma or an end. */
  let next: "value" | "value]" | "key" | "key}" | ":" | "," = "value";
  for (let at = 0, end = 0; at < text.length; at = end) {
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
export function lineOfField(text: string, path: FieldPath): number {
  /** The path of the next value; undefined in an object whose next key is not read yet. */
  const place: (string | number | undefined)[] = [];
  let known = -1;
  let offset = 0;
  for (let at = 0, end = 0; at < text.length; at = end) {
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
