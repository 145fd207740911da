import { Parameters } from "./parameters.ts";
import type { Scheme } from "./scheme.ts";

/**
 * Reads `scheme://authority/path?parameters` by one of the schemes given.
 *
 * @param what is read, for messages
 * @throws RangeError that names the text, what is wrong with it and what was expected, and nothing that may be secret
 */
export function readTarget<T>(what: string, text: string, schemes: Readonly<Record<string, Scheme<T>>>): T {
  const match = /^([a-z][a-z0-9+.-]*):(?:\/\/([^/?]*))?(\/*)([^?]*)(?:\?(.*))?$/.exec(text);
  const [, name = "", authority = "", slashes = "", rest = "", query = ""] = match ?? [];
  const wanted = Object.keys(schemes);
  const scheme = Object.hasOwn(schemes, name) ? schemes[name] : undefined;
  if (scheme === undefined) {
    const names = wanted.map((each) => `${each}:`).join(", ");
    const why = wanted.length > 1 ? `it begins with none of ${names}` : `it does not begin with ${names}`;
    const grammars = Object.values(schemes).map(({ grammar }) => grammar);
    throw wrongTarget(what, text, [], why, grammars.join("; "));
  }
  const { grammar, parameters: known, mayHoldAt, mayOmitSlashes, mayBeginWithSlash, parse } = scheme;
  const wrong = (why: string) => wrongTarget(what, text, known, why, grammar);
  // What stands there is meant to be secret, and a secret may hold any character.
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
  const path = mayBeginWithSlash ? slashes.slice(1) + rest : rest;
  return parse({ authority, path, parameters, wrong });
}

function wrongTarget(what: string, text: string, known: readonly string[], why: string, grammar: string): RangeError {
  return new RangeError(`${what} "${redact(text, known)}": ${why}; expected ${grammar}`);
}

/** The target with nothing that may be secret: no user or password, and no value of a parameter that is not known. */
function redact(text: string, known: readonly string[]): string {
  const at = text.lastIndexOf("@");
  const isPath = /^file:\/\/\/[^?]*$/.test(text); // where an @ stands in a name
  const open = at < 0 || isPath ? text : text.replace(/^([a-z][a-z0-9+.-]*:\/+)?.*@/s, "$1…@");
  const [before = "", ...rest] = open.split("?");
  if (rest.length === 0) return open;
  const parameters = rest.join("?").split("&");
  const shown = parameters.map((each) => {
    const name = each.split("=")[0] ?? "";
    return known.includes(name) || !each.includes("=") ? each : `${name}=…`;
  });
  return `${before}?${shown.join("&")}`;
}
