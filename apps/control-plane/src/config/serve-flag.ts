import { messageOf, parsePortNumber } from "@grpc-lb/core";
import { parseTarget } from "@grpc-lb/discovery";
import type { Flag } from "@grpc-lb/program";
import { isServiceName } from "./read-config.ts";

/** One `name=value` of the command line. */
type Pair<T> = readonly [name: string, value: T];

/** Parses `server=kubernetes:///server:grpc`: the name of a service, and the target that it is served from. */
export const serveFlag: Pick<Flag<Pair<string>>, "metavar" | "help" | "parse"> = {
  metavar: "name=target",
  help: "serve the endpoints of a target under a name",
  parse(text) {
    const [name, target] = splitPair(text, "name=target");
    try {
      parseTarget(target);
    } catch (error) {
      throw new RangeError(`${name}: ${messageOf(error)}`);
    }
    return [name, target];
  },
};

/** Parses `server=30051`: the name of a service, and the port that Envoy listens on for it. */
export const envoyPortFlag: Pick<Flag<Pair<number>>, "metavar" | "help" | "parse"> = {
  metavar: "name=port",
  help: "let Envoy listen on a port for a service",
  parse(text) {
    const [name, port] = splitPair(text, "name=port");
    const value = parsePortNumber(port);
    if (value === undefined) throw new RangeError(`${name}: must be a port from 1 to 65535`);
    return [name, value];
  },
};

function splitPair(text: string, form: string): Pair<string> {
  const equals = text.indexOf("=");
  const name = text.slice(0, Math.max(equals, 0));
  if (!isServiceName(name)) throw new RangeError(`must be ${form}, such as server=…`);
  return [name, text.slice(equals + 1)];
}

/**
 * The pairs as a map.
 *
 * @param flag for the message of a name that occurs twice
 * @throws RangeError for a name that occurs twice
 */
export function toMap<T>(flag: string, pairs: readonly Pair<T>[]): ReadonlyMap<string, T> {
  const map = new Map(pairs);
  if (map.size === pairs.length) return map;
  const [name] = pairs.find(([name], n) => pairs.findIndex(([other]) => other === name) !== n) ?? [];
  throw new RangeError(`${flag} must name each service once, got ${name} twice`);
}
