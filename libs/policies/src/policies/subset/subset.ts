import type { ChannelOptions } from "@grpc/grpc-js";
import type { Balancer, PolicyType } from "../../balancer/balancer.ts";
import { noEndpointMessage, publishFailure } from "../../balancer/balancer.ts";
import { readEndpointInfo } from "../../balancer/endpoint-info.ts";
import type { Fields } from "../../config/fields.ts";
import {
  type ChannelControlHelper,
  ChildLoadBalancerHandler,
  type GrpcEndpoint,
  type LoadBalancingConfig,
  type StatusOr,
  statusOrFromValue,
} from "../../grpc-js.ts";
import { readSubsetKey } from "../client-key.ts";
import { rankByRendezvous } from "./rendezvous.ts";

export interface SubsetConfig {
  /** How many endpoints this client uses; all of them when there are not more. Required. */
  readonly subsetSize: number;
  /** Distinguishes this client from others. Default: see `readSubsetKey`. */
  readonly clientKey: string;
  /** The policy among the chosen endpoints. Default: `round_robin`. */
  readonly childPolicy: LoadBalancingConfig;
}

/**
 * `subset` (gRFC A68, `random_subsetting`): each client uses only `subsetSize` endpoints, so that not every client has a connection
 * to every server. With rendezvous hashing every endpoint is equally likely for every client, and an endpoint that comes or goes
 * changes at most one place in a subset.
 *
 * In A68 each channel draws a random salt. Here the client's own key takes its place, so that a restarted process returns to the
 * same endpoints. The hash is over the endpoint's id, not its addresses: a pod with two addresses is one endpoint.
 *
 * As in A68, health does not matter: when none of its endpoints can be reached, a client's calls fail although others are up.
 * Replacing an endpoint on each lost connection would move all clients of a failing server at once, and back again. A server
 * that is gone for good leaves discovery, and with it the subset; choose a `subsetSize` that is large enough until then.
 */
export const subset: PolicyType<SubsetConfig> = createSubset();

/** @param clientKey called once, for the first configuration without a `clientKey` */
export function createSubset(clientKey: () => string = readSubsetKey): PolicyType<SubsetConfig> {
  let ownKey: string | undefined;
  const readOwnKey = () => {
    ownKey ??= clientKey();
    return ownKey;
  };
  return {
    name: "subset",
    parseConfig: (fields) => ({
      subsetSize: readSubsetSize(fields),
      clientKey: fields.text("clientKey") ?? readOwnKey(),
      childPolicy: fields.policy("childPolicy", { round_robin: {} }),
    }),
    createBalancer: (helper) => new SubsetBalancer(helper),
  };
}

/** Required, as in A68: the right size depends on the numbers of clients and servers. */
function readSubsetSize(fields: Fields): number {
  const size = fields.integer("subsetSize", 0, { min: 1 });
  if (size === 0) throw new RangeError("subsetSize must be an integer >= 1, got nothing");
  return size;
}

/** Filters the endpoints for its child policy. */
class SubsetBalancer implements Balancer<SubsetConfig> {
  readonly #helper: ChannelControlHelper;
  readonly #child: InstanceType<typeof ChildLoadBalancerHandler>;

  constructor(helper: ChannelControlHelper) {
    this.#helper = helper;
    this.#child = new ChildLoadBalancerHandler(helper);
  }

  update(found: StatusOr<GrpcEndpoint[]>, config: SubsetConfig, options: ChannelOptions, note: string): void {
    if (!found.ok) {
      this.#child.updateAddressList(found, config.childPolicy, options, note);
      return;
    }
    const chosen = selectSubset(found.value, config);
    if (chosen.length > 0) {
      this.#child.updateAddressList(statusOrFromValue(chosen), config.childPolicy, options, note);
      return;
    }
    // Not the child's task: with an empty list round_robin makes calls wait forever.
    publishFailure(this.#helper, noEndpointMessage("subset", note));
    this.#child.destroy(); // the next list starts from scratch
  }

  connect(): void {
    this.#child.exitIdle();
  }

  destroy(): void {
    this.#child.destroy();
  }
}

/**
 * The endpoints of one client, in the resolver's order. An endpoint without an address does not count, and endpoints with the same
 * id count as one.
 */
export function selectSubset(
  endpoints: readonly GrpcEndpoint[],
  { subsetSize, clientKey }: Pick<SubsetConfig, "subsetSize" | "clientKey">,
): GrpcEndpoint[] {
  const reachable = endpoints.filter(({ addresses }) => addresses.length > 0);
  const idOf = new Map(reachable.map((endpoint) => [endpoint, readEndpointInfo(endpoint).id]));
  const ids = [...new Set(idOf.values())];
  if (ids.length <= subsetSize) return reachable;
  const chosen = new Set(rankByRendezvous(clientKey, ids, subsetSize).map((index) => ids[index]));
  return reachable.filter((endpoint) => chosen.has(idOf.get(endpoint)));
}
