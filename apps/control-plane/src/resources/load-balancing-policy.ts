import { type LoadBalancingPolicy, LoadBalancingPolicy_Policy } from "@grpc-lb/protos/envoy/config/cluster/v3";
import { ClientSideWeightedRoundRobin } from "@grpc-lb/protos/envoy/extensions/load_balancing_policies/client_side_weighted_round_robin/v3";
import type { LocalityLbConfig } from "@grpc-lb/protos/envoy/extensions/load_balancing_policies/common/v3";
import { LeastRequest } from "@grpc-lb/protos/envoy/extensions/load_balancing_policies/least_request/v3";
import { Random } from "@grpc-lb/protos/envoy/extensions/load_balancing_policies/random/v3";
import { RingHash, RingHash_HashFunction } from "@grpc-lb/protos/envoy/extensions/load_balancing_policies/ring_hash/v3";
import { RoundRobin } from "@grpc-lb/protos/envoy/extensions/load_balancing_policies/round_robin/v3";
import { WrrLocality } from "@grpc-lb/protos/envoy/extensions/load_balancing_policies/wrr_locality/v3";
import type { Any } from "@grpc-lb/protos/google/protobuf/any";
import { TypedStruct } from "@grpc-lb/protos/xds/type/v3";
import type { Policy } from "../config/policy.ts";
import type { ClientKind } from "./client-kind.ts";
import { pack, toDuration } from "./pack.ts";

type Candidates = readonly LoadBalancingPolicy_Policy[];

/**
 * The policy of a cluster as a list of which a client takes the first that it knows (gRFC A52), and which ends with one that all
 * know. Localities come first, by their weight, and the policy chooses within one. Undefined for Envoy's maglev, which the cluster names
 * itself.
 */
export function buildLoadBalancingPolicy(
  policy: Policy,
  kind: ClientKind,
  weighsLocalities: boolean,
): LoadBalancingPolicy | undefined {
  if (kind === "envoy" && policy.t === "maglev") return undefined;
  if (kind === "envoy") return { policies: [...envoyCandidates(policy, weighsLocalities)] };
  const endpointPickingPolicy = { policies: [...grpcCandidates(policy)] };
  if (policy.t === "ring_hash" || policy.t === "maglev") return endpointPickingPolicy; // one ring over all localities (gRFC A42)
  return {
    policies: [
      // grpc-js-xds 1.14.1 knows the policy by this name, and rejects the cluster if it meets the message first.
      named("xds_wrr_locality", { child_policy: grpcJsChild(policy) }),
      typed("wrr_locality", "wrr_locality.v3.WrrLocality", WrrLocality, { endpointPickingPolicy }),
    ],
  };
}

/** The policies by the names that grpc-js and @grpc-lb/policies register. */
function grpcJsChild(policy: Policy): readonly Readonly<Record<string, unknown>>[] {
  if (policy.t === "round_robin") return [{ round_robin: {} }];
  const { t, ...config } = policy;
  const own = policy.t === "custom" ? { [policy.name]: policy.config } : { [t]: config };
  return [own, { round_robin: {} }];
}

function grpcCandidates(policy: Policy): Candidates {
  switch (policy.t) {
    case "round_robin":
      return [roundRobin()];
    case "least_request":
      return [leastRequest(policy.choiceCount), roundRobin()];
    case "ring_hash":
      return ringHashes(policy.minRingSize, policy.maxRingSize);
    case "maglev":
      return [named("maglev", { tableSize: policy.tableSize }), ...ringHashes(1_024, 4_096)];
    case "weighted_round_robin":
      return [weightedRoundRobin(), roundRobin()];
    case "random":
      return [named("random", {}), roundRobin()];
    case "custom":
      return [named(policy.name, policy.config), roundRobin()];
  }
}

function envoyCandidates(policy: Policy, weighsLocalities: boolean): Candidates {
  const localities = weighsLocalities ? weighted : undefined;
  switch (policy.t) {
    case "least_request":
      return [leastRequest(policy.choiceCount, localities)];
    case "ring_hash":
      return [ringHash(policy.minRingSize, policy.maxRingSize)];
    case "random":
      return [typed("random", "random.v3.Random", Random, {})];
    default:
      return [roundRobin(localities)];
  }
}

const weighted: LocalityLbConfig = {
  localityConfigSpecifier: { $case: "localityWeightedLbConfig", value: {} },
};

const roundRobin = (localityLbConfig?: LocalityLbConfig) =>
  typed("round_robin", "round_robin.v3.RoundRobin", RoundRobin, { slowStartConfig: undefined, localityLbConfig });

const leastRequest = (choiceCount: number, localityLbConfig?: LocalityLbConfig) =>
  typed("least_request", "least_request.v3.LeastRequest", LeastRequest, {
    ...{ choiceCount, slowStartConfig: undefined, localityLbConfig },
  });

const ringHash = (minimumRingSize: number, maximumRingSize: number) =>
  typed("ring_hash", "ring_hash.v3.RingHash", RingHash, {
    hashFunction: RingHash_HashFunction.XX_HASH,
    minimumRingSize: BigInt(minimumRingSize),
    maximumRingSize: BigInt(maximumRingSize),
  });

/** grpc-js-xds 1.14.1 does not know the message, but the name. */
const ringHashes = (min: number, max: number): Candidates => [
  named("ring_hash", { min_ring_size: min, max_ring_size: max }),
  ringHash(min, max),
];

const weightedRoundRobin = () =>
  typed(
    "client_side_weighted_round_robin",
    "client_side_weighted_round_robin.v3.ClientSideWeightedRoundRobin",
    ClientSideWeightedRoundRobin,
    ClientSideWeightedRoundRobin.fromPartial({ blackoutPeriod: toDuration(10_000) }),
  );

/** A policy that has a message of its own. */
function typed<T>(
  name: string,
  path: string,
  type: Parameters<typeof pack<T>>[1],
  message: T,
): LoadBalancingPolicy_Policy {
  return candidate(
    `envoy.load_balancing_policies.${name}`,
    pack(`envoy.extensions.load_balancing_policies.${path}`, type, message),
  );
}

/** A policy that clients know by name, with its config as JSON. */
function named(name: string, value: Readonly<Record<string, unknown>>): LoadBalancingPolicy_Policy {
  const struct = { typeUrl: `type.googleapis.com/${name}`, value };
  return candidate(name, pack("xds.type.v3.TypedStruct", TypedStruct, struct));
}

const candidate = (name: string, typedConfig: Any) =>
  LoadBalancingPolicy_Policy.fromPartial({ typedExtensionConfig: { name, typedConfig } });
