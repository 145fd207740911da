import type { PolicyType } from "../../balancer/balancer.ts";
import type { LoadBalancingConfig } from "../../grpc-js.ts";
import { LocalityBalancer } from "./locality-balancer.ts";

export interface LocalityConfig {
  /** The zone this client is in. Default: the environment's ZONE; when that is empty, all endpoints are alike. */
  readonly zone: string | undefined;
  /**
   * With fewer local endpoints than that, all endpoints are used alike, as few would have to carry a whole zone's load.
   * Default: 1, as kube-proxy has it and Envoy's `force_local_zone.min_size`.
   */
  readonly minLocalEndpoints: number;
  /** How much more than its part an endpoint can carry: see `localShare`. Default: 1.4, as Envoy has it. */
  readonly overprovisioning: number;
  /** How long an endpoint may take to connect before it counts as unhealthy. Default: 10 s, the failover timer of gRFC A56. */
  readonly connectTimeoutMs: number;
  /** Whether remote endpoints are connected to before they are needed. Default: false. */
  readonly keepRemoteConnected: boolean;
  /** For how long connections to remote endpoints are kept when they are not needed any more. Default: 15 min, as gRFC A56. */
  readonly remoteIdleTimeoutMs: number;
  /** Balances within each group. Default: `round_robin`. */
  readonly childPolicy: LoadBalancingConfig;
}

/**
 * `locality`: the endpoints of one's own zone first (which those are: see `splitByZone`), the others when local ones are
 * unhealthy. Each of the two groups has a `childPolicy` of its own.
 *
 * - While h of the local endpoints are healthy, min(1, h × `overprovisioning`) of the calls stay local and the rest go to
 *   remote ones: with 1.4, all calls as long as 72 % of them are.
 * - A call never goes to a group that is not READY while the other one is: when the last local connection breaks, the next
 *   call is remote, and local again as soon as there is a local connection.
 * - Remote endpoints are connected to only when calls should go there: failover then waits for a handshake, and calls wait
 *   with it instead of failing. `keepRemoteConnected` takes that delay away, at the price of a connection from every client to
 *   every endpoint in every zone. Connections that exist already are kept when hints or zones move endpoints to the other group.
 * - What is measured is health, not load: a zone with more clients than servers has its servers busy, as with kube-proxy.
 *   Envoy compares the zones of the callers for that; a client does not know of the other clients.
 *
 * With an outlier_detection above, an ejected endpoint counts as unhealthy; what one below has ejected cannot be seen.
 */
export const locality: PolicyType<LocalityConfig> = createLocality();

/** @param zone asked once, when a configuration that names no zone is read for the first time */
export function createLocality(zone: () => string | undefined = () => process.env.ZONE): PolicyType<LocalityConfig> {
  let own: { readonly zone: string | undefined } | undefined;
  const readOwnZone = () => {
    own ??= { zone: zone() || undefined };
    return own.zone;
  };
  return {
    name: "locality",
    parseConfig: (fields) => ({
      zone: fields.text("zone") ?? readOwnZone(),
      minLocalEndpoints: fields.integer("minLocalEndpoints", 1, { min: 1 }),
      overprovisioning: fields.number("overprovisioning", 1.4, { min: 1 }),
      connectTimeoutMs: fields.duration("connectTimeout", 10_000, { min: 0, isMinExcluded: true }),
      keepRemoteConnected: fields.flag("keepRemoteConnected", false),
      remoteIdleTimeoutMs: fields.duration("remoteIdleTimeout", 15 * 60_000, { min: 0 }),
      childPolicy: fields.policy("childPolicy", { round_robin: {} }),
    }),
    createBalancer: (helper, { clock, random }) => new LocalityBalancer(helper, clock, random),
  };
}
