import { describeType, redactReason, redactTarget } from "@grpc-lb/core";
import { Parameters } from "./parameters.ts";
import type { Scheme } from "./scheme.ts";

/** The longest target, in characters: 64 Ki, or about 3000 addresses. */
export const maxTargetLength = 2 ** 16;

/**
 * Reads `scheme://authority/path?parameters` by one of the schemes given, in time in proportion to the text.
 *
 * @param what is read, for messages
 * @throws TypeError when it is not a text; RangeError that names the text, what is wrong with it and what was expected, and nothing that may be secret
 */
export function readTarget<T>(what: string, text: string, schemes: Readonly<Record<string, Scheme<T>>>): T {
  if (typeof text !== "string") {
    const [grammar] = Object.values(schemes).map((scheme) => scheme.grammar);
    throw new TypeError(`${what} must be a text such as ${grammar}, got ${describeType(text)}`);
  }
  if (text.length > maxTargetLength) {
    throw new RangeError(`${what} must have at most ${maxTargetLength} characters, got ${text.length}`);
  }
  const [, name = ""] = /^([a-z][a-z0-9+.-]*):/.exec(text) ?? [];
  const wanted = Object.keys(schemes);
  const scheme = Object.hasOwn(schemes, name) ? schemes[name] : undefined;
  if (scheme === undefined) {
    const shown = redactTarget(text, { isKnown: false, parameters: [] });
    const names = wanted.map((each) => `${each}:`).join(", ");
    const why = wanted.length > 1 ? `it begins with none of ${names}` : `it does not begin with ${names}`;
    const grammars = Object.values(schemes).map(({ grammar }) => grammar);
    throw new RangeError(`${what} "${shown}": ${why}; expected ${grammars.join("; ")}`);
  }
  const { grammar, parameters: known, mayHoldAt, mayOmitSlashes, mayBeginWithSlash, parse } = scheme;
  const wrong = (why: string) => {
    const shown = redactTarget(text, { isKnown: true, parameters: known });
    return new RangeError(`${what} "${shown}": ${redactReason(why, text, known)}; expected ${grammar}`);
  };
  const { authority, path, query } = split(text.slice(name.length + 1));
  // A password may have any character, such as those that end an authority.
  if (authority.includes("@") || (!mayHoldAt && text.includes("@"))) {
    throw wrong("it must not carry a user or a password (an @ in a name is written %40)");
  }
  if (!mayOmitSlashes && !text.startsWith(`${name}://`)) throw wrong(`it does not begin with ${name}://`);
  const parameters = new Parameters(query, wrong);
  const unknown = parameters.names.find((each) => !known.includes(each));
  if (unknown !== undefined) {
    const there = known.length === 0 ? `${name}: has none` : `there are ${known.join(", ")}`;
    throw wrong(`unknown parameter "${unknown}"; ${there}`);
  }
  const bare = path.replace(/^\/+/, "");
  return parse({
    authority,
    path: mayBeginWithSlash && path.startsWith("//") ? path.slice(1) : bare,
    parameters,
    wrong,
  });
}

/** Splits what follows the scheme; the path has the slashes before it. */
function split(rest: string): { readonly authority: string; readonly path: string; readonly query: string } {
  const mark = rest.indexOf("?");
  const before = mark < 0 ? rest : rest.slice(0, mark);
  const query = mark < 0 ? "" : rest.slice(mark + 1);
  if (!before.startsWith("//")) return { authority: "", path: before, query };
  const slash = before.indexOf("/", 2);
  const end = slash < 0 ? before.length : slash;
  return { authority: before.slice(2, end), path: before.slice(end), query };
}
