import type { PolicyType } from "../../balancer/balancer.ts";
import { LocalityBalancer, type LocalityConfig } from "./locality-balancer.ts";

/**
 * `locality`: endpoints in the client's own zone first (see `splitByZone`), the others when local ones are unhealthy. Each of the
 * two groups has its own instance of `childPolicy`.
 *
 * - When a fraction h of the local endpoints is healthy, min(1, h × `overprovisioning`) of the calls stay local, and the rest go to
 *   remote ones: with 1.4, all calls stay as long as 72 % of the local endpoints are healthy.
 * - A call never goes to a group that is not READY while the other one is: after the last local connection is lost, the next call
 *   is remote, and calls are local again as soon as a local connection is up.
 * - Remote endpoints are connected only when calls should go there. A failover then waits for a handshake, and calls wait with it
 *   instead of failing. `keepRemoteConnected` avoids that delay for the price of a connection from every client to every endpoint
 *   in every zone. Existing connections are kept when hints or zones move endpoints to the other group.
 * - It measures health, not load: in a zone with more clients than servers the servers are busy, as with kube-proxy. Envoy compares
 *   the zones of all clients for that; a client does not know the others.
 *
 * With an outlier_detection above, an ejected endpoint counts as unhealthy. It cannot see the ejections of one below.
 */
export const locality: PolicyType<LocalityConfig> = createLocality();

/** @param zone called once, for the first configuration without a `zone` */
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
