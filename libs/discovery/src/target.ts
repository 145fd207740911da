import { type ConsulTarget, consul } from "./target/consul.ts";
import { type DnsPollTarget, dnsPoll } from "./target/dns-poll.ts";
import { type EtcdTarget, etcd } from "./target/etcd.ts";
import { type FileTarget, file } from "./target/file.ts";
import { type KubernetesTarget, kubernetes } from "./target/kubernetes.ts";
import { Parameters } from "./target/parameters.ts";
import type { Scheme } from "./target/scheme.ts";
import { type StaticTarget, staticScheme } from "./target/static.ts";

/** A target, read. */
export type Target = KubernetesTarget | EtcdTarget | ConsulTarget | DnsPollTarget | StaticTarget | FileTarget;
export type TargetScheme = Target["t"];

/** The target of one scheme. */
export type TargetOf<S extends TargetScheme> = Extract<Target, { readonly t: S }>;

const schemes: { readonly [S in TargetScheme]: Scheme<TargetOf<S>> } = {
  kubernetes,
  etcd,
  consul,
  "dns-poll": dnsPoll,
  static: staticScheme,
  file,
};

/** The schemes there are. */
export const targetSchemes = Object.keys(schemes) as readonly TargetScheme[];

/**
 * Reads a target as a gRPC client is given one.
 *
 *     kubernetes:///service[.namespace][:port]           kubernetes://namespace/service[:port]
 *     etcd://host:2379,host2:2379/service                ?layout=kratos
 *     consul://host:8500/service                         ?tag=&near=&dc=&wait=&limit=&healthy=&allow-stale
 *     dns-poll:///name:port                              ?refresh=30s
 *     static:///host:port,host:port                      ?weights=3,1
 *     file:///path/of/endpoints.yaml
 *
 * Names and values may have %-escapes. A parameter that the scheme does not have is an error, and so is a user or a password.
 *
 * @param expected the only scheme that is taken; default: all of them
 * @throws RangeError that names the target, what is wrong with it and what was expected, and nothing that may be secret
 */
export function parseTarget(text: string): Target;
export function parseTarget<S extends TargetScheme>(text: string, expected: S): TargetOf<S>;
export function parseTarget(text: string, expected?: TargetScheme): Target {
  const match = /^([a-z][a-z0-9+.-]*):(?:\/\/([^/?]*))?\/*([^?]*)(?:\?(.*))?$/.exec(text);
  const [, name = "", authority = "", path = "", query = ""] = match ?? [];
  const wanted = expected === undefined ? targetSchemes : [expected];
  const t = wanted.find((each) => each === name);
  if (t === undefined) {
    const names = wanted.map((each) => `${each}:`).join(", ");
    const why = wanted.length > 1 ? `it begins with none of ${names}` : `it does not begin with ${names}`;
    throw wrongTarget(text, [], why, wanted.map((each) => schemes[each].grammar).join("; "));
  }
  const { grammar, parameters: known, mayHoldAt, mayOmitSlashes, parse } = schemes[t];
  const wrong = (why: string) => wrongTarget(text, known, why, grammar);
  // What stands there is meant to be secret, and a secret may hold any character.
  if (authority.includes("@") || (!mayHoldAt && text.includes("@"))) {
    throw wrong("it must not carry a user or a password (an @ in a name is written %40)");
  }
  if (!mayOmitSlashes && !text.startsWith(`${t}://`)) throw wrong(`it does not begin with ${t}://`);
  const parameters = new Parameters(query, wrong);
  const unknown = parameters.names.find((each) => !known.includes(each));
  if (unknown !== undefined) {
    const there = known.length === 0 ? `${t}: has none` : `there are ${known.join(", ")}`;
    throw wrong(`unknown parameter "${unknown}"; ${there}`);
  }
  return parse({ authority, path, parameters, wrong });
}

function wrongTarget(text: string, known: readonly string[], why: string, grammar: string): RangeError {
  return new RangeError(`target "${redact(text, known)}": ${why}; expected ${grammar}`);
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
