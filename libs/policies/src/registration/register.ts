import { type Context, checkOptions, createRandom, type OptionRules, recordCopy, systemClock } from "@grpc-lb/core";
import type { PolicyType } from "../balancer/balancer.ts";
import { type ConnectionTiming, defaultTiming } from "../balancer/connection-timing.ts";
import type { CommonConfig, Policy } from "../balancer/policy.ts";
import type { PolicyStats, StatsSource } from "../balancer/stats.ts";
import { isRegistered, recordRegistration, registerAlias, requireSupportedGrpc } from "../grpc-js.ts";
import { maglev } from "../policies/hash/maglev.ts";
import { ringHash } from "../policies/hash/ring-hash.ts";
import { sourceHash } from "../policies/hash/source-hash.ts";
import { leastRequest } from "../policies/least-request.ts";
import { locality } from "../policies/locality/locality.ts";
import { peakEwma } from "../policies/peak-ewma/peak-ewma.ts";
import { random } from "../policies/random.ts";
import { roundRobin } from "../policies/round-robin.ts";
import { subset } from "../policies/subset/subset.ts";
import { weightedRandom } from "../policies/weighted-random.ts";
import { weightedRoundRobin } from "../policies/weighted-round-robin/weighted-round-robin.ts";
import { registerDefault } from "./default-policy.ts";
import { registerDnsConfigs } from "./dns-config.ts";
import { adaptGrpcPolicies } from "./grpc-policies.ts";
import { guardPolicy } from "./guard-policy.ts";
import { endpointPolicy, registerType } from "./register-type.ts";
import { emitWarning, sendWarningsTo, type Warn, warnOf } from "./warning.ts";

/** Options of the policies. */
export interface PoliciesOptions {
  /**
   * Receives what an operator should act on: mistakes in service configs, and copies of grpc-js. What it throws becomes a Node warning.
   * Default: a Node warning.
   */
  readonly warn?: Warn | undefined;
}

/** A view of the policies in use. */
export interface Policies {
  /** One entry for each channel that uses a policy of this library, or one of `registerPolicy`. Costs nothing until it is called. */
  stats(): PolicyStats[];
}

/** What policies get from their process; tests have their own. */
export interface PoliciesContext extends Context {
  readonly timing?: ConnectionTiming | undefined;
}

const types: readonly Registrable[] = [
  registrable(endpointPolicy(roundRobin)),
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

const running = new Set<StatsSource>();
const otherCopyWarning =
  "there are several copies of @grpc-lb/policies in this process; the policies of the one that registered first are used; npm dedupe leaves one";

const policyRules: OptionRules = { name: "string", parseConfig: "function", createInstance: "function" };

const view: Policies = { stats: () => [...running].map(({ stats }) => stats) };

/** For the channels that are created from now on. */
const context = { clock: systemClock, random: defaultRandom, timing: defaultTiming, running };
let isDone = false;

/** Another copy of this library has another one. */
const self = {};

/** Policies of others that this library's replace: two of grpc-js, and one of grpc-js-xds. */
const replaced: ReadonlySet<string> = new Set(["round_robin", "weighted_round_robin", "ring_hash"]);

/** The names that other gRPC languages use for some of the policies. */
const aliases: Readonly<Record<string, string>> = {
  least_request_experimental: "least_request",
  ring_hash_experimental: "ring_hash",
  random_subsetting: "subset",
  random_subsetting_experimental: "subset",
};

/** The policies of `registerPolicy`, by name. */
const own = new Map<string, unknown>();

/** The names of the policies of `registerPolicy`. */
export const ownPolicyNames = (): readonly string[] => [...own.keys()];

/** Replacing a policy would give existing channels the configurations of the new one. */
function requireFree(name: string): void {
  if (isRegistered(name)) throw new Error(`@grpc-lb/policies: a policy named ${name} is already registered`);
}

/**
 * Registers this library's policies in grpc-js, so that a service config can name them; `round_robin` and `weighted_round_robin`
 * replace those of grpc-js. Call it once, before the first channel is created. A second call only changes the options.
 *
 * Where another copy of this library has registered the policies in the same grpc-js, they are used, with a warning; `stats` shows
 * the channels of its own copy alone. Several copies of grpc-js are a warning, too.
 *
 * @returns a view of the policies in use, for metrics
 * @throws Error when this version of grpc-js is not supported, or when a policy of others has one of the names; TypeError for
 *   options of another type or name
 */
export function registerPolicies(options: PoliciesOptions = {}): Policies {
  checkOptions("registerPolicies", options, { warn: "function" });
  return registerPoliciesIn({}, options);
}

/** The same in any context. */
export function registerPoliciesIn(given: PoliciesContext, { warn = emitWarning }: PoliciesOptions = {}): Policies {
  requireSupportedGrpc();
  const names = [...policyNames, ...Object.keys(aliases)];
  const { clock = systemClock, random = defaultRandom, timing = defaultTiming } = given;
  const copies = recordCopy("@grpc-lb/policies", self, "registerPolicies").length;
  const isOfOtherCopy = !isDone && copies > 1 && names.every(isRegistered);
  if (!isDone && !isOfOtherCopy) for (const name of names) if (!replaced.has(name)) requireFree(name);
  Object.assign(context, { clock, random, timing });
  sendWarningsTo(warn);
  warnOf(recordRegistration(), isOfOtherCopy ? otherCopyWarning : undefined);
  if (isDone || isOfOtherCopy) return view;
  isDone = true;
  for (const type of types) type.register();
  for (const [alias, name] of Object.entries(aliases)) registerAlias(alias, name);
  registerDefault(adaptGrpcPolicies());
  registerDnsConfigs();
  return view;
}

/**
 * Registers a policy of your own in grpc-js, on this library's base balancer. A second call with the same policy does nothing. A mistake
 * of the policy ends no process: calls fail with INTERNAL and what its picker throws; what its other hooks throw is a warning.
 *
 * @throws Error when this version of grpc-js is not supported, or when another policy has the name; TypeError for a policy that
 *   lacks something, or has something of another type or name
 */
export function registerPolicy<Config extends CommonConfig, EndpointState>(
  policy: Policy<Config, EndpointState>,
): void {
  checkOptions("registerPolicy", policy, policyRules, ["name", "parseConfig", "createInstance"]);
  requireSupportedGrpc();
  warnOf(recordRegistration());
  if (own.get(policy.name) === policy) return;
  requireFree(policy.name);
  own.set(policy.name, policy);
  registerType(endpointPolicy(guardPolicy(policy)), context);
}
