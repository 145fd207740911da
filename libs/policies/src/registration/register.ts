import { type Clock, createRandom, type Random, systemClock } from "@grpc-lb/core";
import type { PolicyType } from "../balancer/balancer.ts";
import { type ConnectionTiming, defaultTiming } from "../balancer/connection-timing.ts";
import type { CommonConfig, Policy } from "../balancer/policy.ts";
import { registerOutlierDetection } from "../config/outlier-detection.ts";
import { isRegistered, registerAlias, requireOneGrpc, requireSupportedGrpc } from "../grpc-js.ts";
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
import { registerDefault } from "./default-policy.ts";
import { endpointPolicy, registerType } from "./register-type.ts";

/** What policies get time and random numbers from; for tests. */
export interface PoliciesOptions {
  /** Default: the system's. */
  readonly clock?: Clock;
  /** Default: `createRandom` with a random seed. */
  readonly random?: Random;
  /** Default: `defaultTiming`. */
  readonly timing?: ConnectionTiming;
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

/** A policy type with the type of its configuration hidden. */
interface Registrable {
  readonly name: string;
  register(): void;
}

function registrable<Config>(type: PolicyType<Config>): Registrable {
  return { name: type.name, register: () => registerType(type, context) };
}

/** The names of this library's policies in a service config. */
export const policyNames: readonly string[] = types.map(({ name }) => name);

/** Not `Math.random`: V8 cannot inline it, and each of its numbers is a heap object. */
const defaultRandom = createRandom(Math.random() * 2 ** 32);

const context: { clock: Clock; random: Random; timing: ConnectionTiming } = {
  clock: systemClock,
  random: defaultRandom,
  timing: defaultTiming,
};
let isDone = false;

/** Policies of others that this library's replace: one of grpc-js, and one of grpc-js-xds. */
const replaced: ReadonlySet<string> = new Set(["weighted_round_robin", "ring_hash"]);

/** The names that other gRPC languages use for some of the policies. */
const aliases: Readonly<Record<string, string>> = {
  least_request_experimental: "least_request",
  ring_hash_experimental: "ring_hash",
  random_subsetting: "subset",
  random_subsetting_experimental: "subset",
};

/** The policies of `registerPolicy`, by name. */
const own = new Map<string, unknown>();

/** Replacing a policy would give existing channels the configurations of the new one. */
function requireFree(name: string): void {
  if (!isRegistered(name)) return;
  throw new Error(
    `@grpc-lb/policies: a policy named ${name} is already registered; ` +
      "if it is this library's own, this process has two copies of the library, and npm dedupe removes one",
  );
}

/**
 * Registers this library's policies in grpc-js, so that a service config can name them; `weighted_round_robin` replaces the one of
 * grpc-js. Call it once, before the first channel is created. A second call only changes the options for channels created later.
 *
 * @throws Error when this version of grpc-js is not supported, when several copies of it or of this library are in this
 *   process, or when another policy has one of the names
 */
export function registerPolicies(options: PoliciesOptions = {}): void {
  requireSupportedGrpc();
  requireOneGrpc();
  const names = [...policyNames, ...Object.keys(aliases)];
  if (!isDone) for (const name of names) if (!replaced.has(name)) requireFree(name);
  context.clock = options.clock ?? systemClock;
  context.random = options.random ?? defaultRandom;
  context.timing = options.timing ?? defaultTiming;
  if (isDone) return;
  isDone = true;
  for (const type of types) type.register();
  for (const [alias, name] of Object.entries(aliases)) registerAlias(alias, name);
  registerOutlierDetection();
  registerDefault();
}

/**
 * Registers a policy of your own in grpc-js, on this library's base balancer. A second call with the same policy does nothing.
 *
 * @throws Error as `registerPolicies` does
 */
export function registerPolicy<Config extends CommonConfig, EndpointState>(
  policy: Policy<Config, EndpointState>,
): void {
  requireSupportedGrpc();
  requireOneGrpc();
  if (own.get(policy.name) === policy) return;
  requireFree(policy.name);
  own.set(policy.name, policy);
  registerType(endpointPolicy(policy), context);
}
