import { type Clock, createRandom, type Random, systemClock } from "@grpc-lb/core";
import type { PolicyType } from "../balancer/balancer.ts";
import type { CommonConfig, Policy } from "../balancer/policy.ts";
import { isRegistered, requireOneGrpc, requireSupportedGrpc } from "../grpc-js.ts";
import { maglev } from "../policies/hash/maglev.ts";
import { ringHash } from "../policies/hash/ring-hash.ts";
import { sourceHash } from "../policies/hash/source-hash.ts";
import { leastRequest } from "../policies/least-request.ts";
import { locality } from "../policies/locality/locality.ts";
import { peakEwma } from "../policies/peak-ewma/peak-ewma.ts";
import { random } from "../policies/random.ts";
import { subset } from "../policies/subset/subset.ts";
import { weightedRandom } from "../policies/weighted-random.ts";
import { weightedRoundRobin } from "../policies/weighted-round-robin/weighted-round-robin.ts";
import { endpointPolicy, registerType } from "./register-type.ts";

/** What policies are made with. */
export interface PoliciesOptions {
  /** Default: the machine's. */
  readonly clock?: Clock;
  /** Default: `createRandom` with a seed of chance. */
  readonly random?: Random;
}

const types: readonly Registrable[] = [
  registrable(endpointPolicy(random)),
  registrable(endpointPolicy(weightedRandom)),
  registrable(endpointPolicy(weightedRoundRobin)),
  registrable(endpointPolicy(leastRequest)),
  registrable(endpointPolicy(peakEwma)),
  registrable(endpointPolicy(ringHash)),
  registrable(endpointPolicy(maglev)),
  registrable(endpointPolicy(sourceHash)),
  registrable(locality),
  registrable(subset),
];

/** A policy type whose configuration is its own affair. */
interface Registrable {
  readonly name: string;
  register(): void;
}

function registrable<Config>(type: PolicyType<Config>): Registrable {
  return { name: type.name, register: () => registerType(type, context) };
}

/** The policies of this library, as a service config names them. */
export const policyNames: readonly string[] = types.map(({ name }) => name);

/** Not `Math.random`: that cannot be compiled into its caller, and each of its numbers is an object. */
const defaultRandom = createRandom(Math.random() * 2 ** 32);

const context: { clock: Clock; random: Random } = { clock: systemClock, random: defaultRandom };
let isDone = false;

/** Names that others use too, for policies that ours take the place of: grpc-js's own, and one of grpc-js-xds. */
const replaced: ReadonlySet<string> = new Set(["weighted_round_robin", "ring_hash"]);

/** Those that `registerPolicy` has made known, by name. */
const own = new Map<string, unknown>();

/** A channel that is there would be given the configurations of a policy that took its policy's name. */
function requireFree(name: string): void {
  if (!isRegistered(name)) return;
  throw new Error(
    `@grpc-lb/policies: there is a policy of the name ${name} already; ` +
      "when it is this library's own, there are two copies of it in this process, of which npm dedupe leaves one",
  );
}

/**
 * Makes the policies of this library known to grpc-js, so that a service config may name them; `weighted_round_robin` takes the
 * place of grpc-js's own. To be called once, before the first channel; a second call only sets what channels made later get.
 *
 * @throws Error when this version of grpc-js is not supported, when several copies of it or of this library are in this
 *   process, or when another policy has one of the names
 */
export function registerPolicies(options: PoliciesOptions = {}): void {
  requireSupportedGrpc();
  requireOneGrpc();
  if (!isDone) for (const { name } of types) if (!replaced.has(name)) requireFree(name);
  context.clock = options.clock ?? systemClock;
  context.random = options.random ?? defaultRandom;
  if (isDone) return;
  isDone = true;
  for (const type of types) type.register();
}

/**
 * Makes one's own policy known to grpc-js, on the plumbing of this library; a second call with the same one changes nothing.
 *
 * @throws Error as `registerPolicies` does
 */
export function registerPolicy<Config extends CommonConfig, Load>(policy: Policy<Config, Load>): void {
  requireSupportedGrpc();
  requireOneGrpc();
  if (own.get(policy.name) === policy) return;
  requireFree(policy.name);
  own.set(policy.name, policy);
  registerType(endpointPolicy(policy), context);
}
