import { describeType } from "@grpc-lb/core";
import { type ConsulTarget, consul } from "./consul/target.ts";
import { readTarget } from "./core/target/read-target.ts";
import type { Scheme } from "./core/target/scheme.ts";
import { type DnsPollTarget, dnsPoll } from "./dns/target.ts";
import { type EtcdTarget, etcd } from "./etcd/target.ts";
import { type FileTarget, file } from "./file/target.ts";
import { type KubernetesTarget, kubernetes } from "./kubernetes/target.ts";
import { type StaticTarget, staticScheme } from "./static/target.ts";
import { type XdsTarget, xds } from "./xds/target.ts";

/** A target, read. */
export type Target =
  | KubernetesTarget
  | EtcdTarget
  | ConsulTarget
  | DnsPollTarget
  | StaticTarget
  | FileTarget
  | XdsTarget;
/** The scheme of a target: `kubernetes`. */
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
  xds,
};

/** The schemes there are. */
export const targetSchemes = Object.keys(schemes) as readonly TargetScheme[];

/**
 * Reads a target as a gRPC client is given one.
 *
 *     kubernetes:///service[.namespace][:port]           kubernetes://namespace/service[:port]
 *     etcd://host:2379,host2:2379/service                ?layout=&namespace=
 *     consul://host:8500/service                         ?tag=&near=&dc=&ns=&partition=&wait=&limit=&healthy=&allow-stale
 *     dns-poll:///name:port                              ?refresh=30s
 *     static:///host:port,host:port                      ?weights=3,1
 *     file:///path/of/endpoints.yaml
 *     xds://control-plane:18000/name                     ?protocol=
 *
 * Names and values may have %-escapes. A parameter that the scheme does not have is an error, and so is a user or a password.
 *
 * @throws RangeError that names the target, what is wrong with it and what was expected, and nothing that may be secret
 */
export function parseTarget(text: string): Target;
/**
 * Reads a target of one scheme.
 *
 * @param expected the only scheme that is accepted
 * @throws RangeError as above, also for a target of another scheme; TypeError for a scheme that there is not
 */
export function parseTarget<S extends TargetScheme>(text: string, expected: S): TargetOf<S>;
export function parseTarget(text: string, expected?: TargetScheme): Target {
  if (expected === undefined) return readTarget<Target>("target", text, schemes);
  if (!targetSchemes.includes(expected)) {
    throw new TypeError(
      `parseTarget: expected must be one of ${targetSchemes.join(", ")}, got ${describeType(expected)}`,
    );
  }
  return readTarget<Target>("target", text, { [expected]: schemes[expected] as Scheme<Target> });
}
