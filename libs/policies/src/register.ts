import { type Clock, createRandom, type Random, systemClock } from "@grpc-lb/runtime";
import { requireOneGrpc, requireSupportedGrpc } from "./grpc-js.ts";
import { leastRequest } from "./least-request.ts";
import { locality } from "./locality/locality.ts";
import { maglev } from "./maglev.ts";
import { peakEwma } from "./peak-ewma.ts";
import type { CommonConfig, Policy } from "./policy.ts";
import { endpointPolicy, type PolicyType, registerType } from "./policy-type.ts";
import { random } from "./random.ts";
import { ringHash } from "./ring-hash.ts";
import { sourceHash } from "./source-hash.ts";
import { subset } from "./subset/subset.ts";
import { weightedRandom } from "./weighted-random.ts";
import { weightedRoundRobin } from "./weighted-round-robin.ts";

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

/**
 * Makes the policies of this library known to grpc-js, so that a service config may name them; `weighted_round_robin` takes the
 * place of grpc-js's own. To be called once, before the first channel; a second call only sets what channels made later get.
 *
 * @throws Error when this version of grpc-js is not supported, or when several copies of it are in this process
 */
export function registerPolicies(options: PoliciesOptions = {}): void {
  requireSupportedGrpc();
  requireOneGrpc();
  context.clock = options.clock ?? systemClock;
  context.random = options.random ?? defaultRandom;
  if (isDone) return;
  isDone = true;
  for (const type of types) type.register();
}

/** Makes one's own policy known to grpc-js, on the plumbing of this library. To be called once for each name. */
export function registerPolicy<Config extends CommonConfig, Load>(policy: Policy<Config, Load>): void {
  requireSupportedGrpc();
  requireOneGrpc();
  registerType(endpointPolicy(policy), context);
}
