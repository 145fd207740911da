import { basename, extname } from "node:path";
import { formatAddress, parseTarget, type Target, type TargetOf, type TargetScheme } from "@grpc-lb/discovery";

/** What grpc-js needs to know of the targets of a scheme. */
export interface SchemeEntry<S extends TargetScheme> {
  /** The name for `:authority` and for TLS: a valid host, perhaps with a number for a port. */
  authorityOf(target: TargetOf<S>): string;
  /** What a warning calls the service config of the service. Default: `service config`. */
  readonly configName?: string;
}

export const schemes: { readonly [S in TargetScheme]: SchemeEntry<S> } = {
  kubernetes: {
    // Without a namespace it is the service alone, be it in a pod or outside, though a pod could look its namespace up: a name
    // that certificates are checked against must not depend on where the client runs.
    authorityOf: ({ service, namespace, port }) => {
      const host = namespace === undefined ? service : `${service}.${namespace}`;
      return port !== undefined && /^\d+$/.test(port) ? `${host}:${port}` : host; // a port's name is not valid there
    },
    configName: "annotation grpc-lb.dev/service-config",
  },
  etcd: { authorityOf: ({ service }) => toAuthority(service, "etcd") },
  consul: { authorityOf: ({ service }) => toAuthority(service, "consul") },
  "dns-poll": {
    authorityOf: ({ name, port }) => {
      const host = name.replace(/\.$/, "");
      return typeof port === "number" ? `${host}:${port}` : host;
    },
  },
  static: { authorityOf: ({ endpoints: [first] }) => (first ? formatAddress(first.address) : "static") },
  // Of istiod's `outbound|30051||server.default.svc.cluster.local` it is the service.
  xds: { authorityOf: ({ name }) => toAuthority(name.split("|").at(-1) ?? "", "xds") },
  file: { authorityOf: ({ path }) => toAuthority(basename(path, extname(path)), "file") },
};

/** The authority of a target; also of one that is not valid, whose resolver fails each call with the reason. */
export function authorityOf(text: string): string {
  try {
    const target = parseTarget(text);
    return (schemes[target.t] as { authorityOf(target: Target): string }).authorityOf(target);
  } catch {
    return "invalid.target";
  }
}

/**
 * A name that may stand in `:authority` and be checked by TLS: a host as `URL` takes it, which grpc-js requires. Of a name with
 * slashes it is the last part; what cannot be in a host becomes a hyphen.
 *
 * @param fallback for a name that has no valid character
 */
export function toAuthority(name: string, fallback: string): string {
  const part = name.split("/").at(-1) ?? "";
  const host = part.replaceAll(/[^\w.-]+/g, "-").replaceAll(/^[.-]+|[.-]+$/g, "");
  return URL.canParse(`http://${host}`) ? host : fallback;
}
