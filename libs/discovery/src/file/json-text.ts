import type { FieldPath } from "./read-value.ts";

/** What is wrong with a text of JSON, in one line and without the text itself, and in which line; the first is 1. */
export function describeSyntaxError(text: string, cause: Error): { readonly why: string; readonly line: number } {
  const told = / in JSON at position (\d+)/.exec(cause.message)?.[1];
  const why = cause.message.replace(/ (in|after) JSON at position .*/s, "").replace(/, (\.\.\.)?".*/s, "");
  return { why, line: lineAt(text, told === undefined ? offsetOf(text, cause) : Number(told)) };
}

/** Where the wrong token stands, which V8 does not always tell: a text that ends before it has another error. */
function offsetOf(text: string, { message }: Error): number {
  const [kind] = message.split(",");
  let low = 0;
  let high = text.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (failureOf(text.slice(0, middle + 1))?.startsWith(`${kind},`)) high = middle;
    else low = middle + 1;
  }
  return low;
}

function failureOf(text: string): string | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** The line of a field in a text that is JSON, or of what the field would have to stand in. */
export function lineOfField(text: string, path: FieldPath): number {
  /** Where the value to come stands; undefined in an object whose next key is not read yet. */
  const place: (string | number | undefined)[] = [];
  let known = -1;
  let offset = 0;
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g)) {
    const last = place.at(-1);
    if (token === "}" || token === "]") {
      place.pop();
    } else if (token === ",") {
      place[place.length - 1] = typeof last === "number" ? last + 1 : undefined;
    } else if (place.length > 0 && last === undefined) {
      place[place.length - 1] = JSON.parse(token) as string;
    } else if (token !== ":") {
      if (place.length > known && place.every((part, n) => part === path[n])) [known, offset] = [place.length, index];
      if (known === path.length) break;
      if (token === "{") place.push(undefined);
      if (token === "[") place.push(0);
    }
  }
  return lineAt(text, offset);
}

const lineAt = (text: string, offset: number): number => text.slice(0, offset).split("\n").length;
