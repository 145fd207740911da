/** What the benches measure: each policy of the library, configured as one would use it. */
import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import { parseArgs } from "node:util";
import { Metadata } from "@grpc/grpc-js";
import {
  connectivityState,
  type GrpcEndpoint,
  type LoadBalancingConfig,
  type PolicyJson,
  parsePolicy,
  registerPolicyType,
} from "../src/grpc-js.ts";
import { policyNames, registerPoliciesIn } from "../src/registration/register.ts";
import { endpoint, FakeChannel, FakeSubchannel } from "../testing/fake-channel.ts";
import { noWaits } from "../testing/no-waits.ts";

/** What the policies are compared with: the one of grpc-js that `round_robin` replaces. */
export const roundRobin = "grpc_js_round_robin";

export const keyHeader = "x-session";

const byHeader = { requestHashHeader: keyHeader };

/** Where the defaults would leave out what is to be measured. */
const configs: Readonly<Record<string, object>> = {
  weighted_round_robin: { source: "static" },
  ring_hash: byHeader,
  maglev: byHeader,
  source_hash: byHeader,
  subset: { subsetSize: 20, childPolicy: [{ least_request: {} }] },
  locality: { zone: "zone-0", childPolicy: [{ least_request: {} }] }, // with the default, round_robin, it cannot cost less than that
};

/** Takes its weights from load reports, which come with each call. */
export const orca = "weighted_round_robin orca";

/** Registers the policies. @returns their names, or those that `--policies random,maglev` gives */
export function choosePolicies(): string[] {
  registerReference();
  registerPoliciesIn(noWaits);
  const { values } = parseArgs({ options: { policies: { type: "string" } }, strict: false, allowPositionals: true });
  const all = [...policyNames, orca];
  const chosen = typeof values.policies === "string" ? values.policies.split(",") : all;
  const unknown = chosen.find((name) => !all.includes(name));
  if (unknown !== undefined) throw new Error(`--policies: ${unknown} is none of ${all.join(", ")}`);
  // A wrong one is found here, before minutes were spent, and by a channel not at all: it would take pick_first.
  for (const name of chosen) parsePolicy(policyOf(name));
  return chosen;
}

/** Registers grpc-js's own `round_robin` under another name. Must run before `registerPolicies`, which replaces it. */
export function registerReference(): void {
  const { RoundRobinLoadBalancer } = createRequire(import.meta.url)(
    "@grpc/grpc-js/build/src/load-balancer-round-robin.js",
  );
  // The balancer takes no other class of configuration.
  const Config = parsePolicy({ round_robin: {} }).constructor as new () => LoadBalancingConfig;
  class ReferenceConfig extends Config {
    static createFromJson = () => new ReferenceConfig();
    override getLoadBalancerName = () => roundRobin;
    override toJsonObject = () => ({ [roundRobin]: {} });
  }
  registerPolicyType(roundRobin, RoundRobinLoadBalancer, ReferenceConfig);
}

/** @param weights by address, for the policies that are about weights; elsewhere they are in the endpoints */
export function policyOf(name: string, weights?: Readonly<Record<string, number>>): PolicyJson {
  if (name === orca) return { weighted_round_robin: { source: "orca", blackoutPeriod: "0s" } };
  const isWeighted = weights !== undefined && name.startsWith("weighted_");
  return { [name]: { ...configs[name], ...(isWeighted && { weights }) } };
}

/** Endpoints with unequal weights in three zones. */
export function createEndpoints(count: number): GrpcEndpoint[] {
  return Array.from({ length: count }, (_, n) => endpointAt(n, 1 + (n % 3)));
}

export function endpointAt(n: number, weight: number): GrpcEndpoint {
  return endpoint(`10.1.${n >> 8}.${n & 255}:50051`, { weight, zone: `zone-${n % 3}` });
}

/** A channel whose connections, including those of `later`, are READY; all of them are in the picker. */
export function openChannel(
  policy: PolicyJson,
  endpoints: readonly GrpcEndpoint[],
  later: readonly GrpcEndpoint[] = [],
) {
  const channel = new FakeChannel(policy);
  for (const { addresses } of [...endpoints, ...later]) {
    for (const address of addresses) {
      const name = "port" in address ? `${address.host}:${address.port}` : address.path;
      const subchannel = new FakeSubchannel(name);
      subchannel.state = connectivityState.READY;
      channel.subchannels.set(name, subchannel);
    }
  }
  channel.update(endpoints);
  if (channel.state !== connectivityState.READY) throw new Error(`${Object.keys(policy)} is not READY`);
  return channel;
}

/** Headers of so many sessions: each a key of 36 characters. */
export function createSessions(count: number): Metadata[] {
  return Array.from({ length: count }, () => {
    const metadata = new Metadata();
    metadata.set(keyHeader, randomUUID());
    return metadata;
  });
}
