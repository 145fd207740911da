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
import { readClientKey } from "./client-key.ts";
import { rankByRendezvous } from "./rendezvous.ts";

export interface SubsetConfig {
  /** With how many endpoints this client works; all of them when there are no more. */
  readonly subsetSize: number;
  /** What this client is told apart by. Default: see `readClientKey`. */
  readonly clientKey: string;
  /** Balances among the chosen. Default: `round_robin`. */
  readonly childPolicy: LoadBalancingConfig;
}

/**
 * `subset` (gRFC A68, `random_subsetting`): each client works with `subsetSize` endpoints only, so that many clients and many
 * servers do not all hold connections to each other. By rendezvous hashing every endpoint is as likely for every client, and
 * an endpoint that comes or goes changes at most one place in a subset.
 *
 * A68 has each channel draw a random salt; here the client's own key takes its place, so that a process which starts anew
 * comes back to the same endpoints, and a test knows where it goes. It is the endpoint's id that is hashed, not its
 * addresses: a pod with two is one endpoint.
 *
 * As in A68, health plays no part: when none of its endpoints can be reached, a client's calls fail though others live. To
 * replace an endpoint on each lost connection would move all clients of a failing server at once, and back. Servers that are
 * gone for good leave discovery, and then the subset; `subsetSize` should be large enough for the time in between.
 */
export const subset: PolicyType<SubsetConfig> = createSubset();

/** @param clientKey asked once, when a configuration that names no key is read for the first time */
export function createSubset(clientKey: () => string = readClientKey): PolicyType<SubsetConfig> {
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

/** A68 leaves the size to the user: which one is right depends on how many clients and servers there are. */
function readSubsetSize(fields: Fields): number {
  const size = fields.integer("subsetSize", 0, { min: 1 });
  if (size === 0) throw new RangeError("subsetSize must be an integer >= 1, got nothing");
  return size;
}

/** A filter before its child, which does all the work as long as there are endpoints. */
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
    // Not left to the child: with an empty list round_robin lets calls wait for ever.
    publishFailure(this.#helper, noEndpointMessage("subset", note));
    this.#child.destroy(); // the next endpoints begin anew
  }

  connect(): void {
    this.#child.exitIdle();
  }

  destroy(): void {
    this.#child.destroy();
  }
}

/**
 * The endpoints of one client, in the resolver's order. Those without an address take no place, and those with the same id
 * take one together.
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
