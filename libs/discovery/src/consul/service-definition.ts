import { isIP } from "node:net";
import { isPortNumber, redactAddress } from "@grpc-lb/core";
import { formatAddress } from "../core/address.ts";
import type { Instance } from "../core/registration.ts";
import { isWeight, maxWeight } from "../core/weight.ts";
import { weightKey } from "./reader.ts";

/** How Consul learns whether an instance is well. */
export type ConsulCheck =
  /** The registration refreshes it within each TTL. */
  | { readonly t: "ttl" }
  /** The agent calls the instance's health service (grpc.health.v1), so it must be able to reach the instance. */
  | {
      readonly t: "grpc";
      /** The time between two calls, in milliseconds; at least 1 s, Consul's own minimum. Default: a third of the TTL, or 1 s. */
      readonly intervalMs?: number;
      /** How long an answer may take, in milliseconds. Default: a third of the TTL. */
      readonly timeoutMs?: number;
      /** The gRPC service whose health is checked. Default: the server as a whole. */
      readonly service?: string;
      /** Whether the agent uses TLS, by its own settings for checks. Default: false. */
      readonly tls?: boolean;
    };

/** A service as `PUT /v1/agent/service/register` takes it: https://developer.hashicorp.com/consul/api-docs/agent/service#register-service */
export interface ServiceDefinition {
  readonly ID: string;
  readonly Name: string;
  readonly Address: string;
  readonly Port: number;
  readonly Tags: readonly string[];
  readonly Meta: Readonly<Record<string, string>>;
  readonly Weights: { readonly Passing: number; readonly Warning: number };
  readonly Check: {
    readonly CheckID: string;
    readonly Name: string;
    readonly DeregisterCriticalServiceAfter: string;
    readonly Status?: string;
    readonly TTL?: string;
    readonly GRPC?: string;
    readonly GRPCUseTLS?: boolean;
    readonly Interval?: string;
    readonly Timeout?: string;
  };
}

/** https://developer.hashicorp.com/consul/docs/services/configuration/services-configuration-reference#weights */
const maxConsulWeight = 65_535;
/**
 * "The minimum timeout is 1 minute, and the process that reaps critical services runs every 30 seconds":
 * https://developer.hashicorp.com/consul/api-docs/agent/check#deregistercriticalserviceafter
 */
const minDeregisterMs = 60_000;
/** MinInterval in agent/checks/check.go; Consul replaces a shorter one by it. */
const minIntervalMs = 1_000;

/**
 * Makes the service to register. Its id consists of name and address, so that a process which crashed and comes back at its address
 * replaces itself. Of a weight that Consul cannot hold (0, fractions, more than 65535) the nearest one is in Weights.Passing, for
 * other readers, and the exact one in Service.Meta, for the sources of this library.
 *
 * @throws RangeError for what Consul would refuse or cut
 */
export function defineService(
  { service, address, metadata = {}, weight = 1, ttlMs = 10_000 }: Instance,
  options: {
    readonly tags?: readonly string[];
    readonly check?: ConsulCheck;
    readonly deregisterCriticalAfterMs?: number;
  } = {},
): ServiceDefinition {
  const { tags = [], check = { t: "ttl" }, deregisterCriticalAfterMs = minDeregisterMs } = options;
  const { host, port } = address;
  if (service === "" || service.includes("/") || !service.isWellFormed()) {
    throw new RangeError(`service must be a name without a slash, got "${redactAddress(service)}"`);
  }
  if (host === "" || (isIP(host) > 0 && /^[0.:]+$/.test(host))) {
    throw new RangeError(`address.host must be where clients reach the instance, got "${redactAddress(host)}"`);
  }
  if (!isPortNumber(port)) {
    throw new RangeError(`address.port must be from 1 to 65535, got ${port}`);
  }
  if (!isWeight(weight)) throw new RangeError(`weight must be a number from 0 to ${maxWeight}, got ${weight}`);
  validateMs({ ttlMs }, 1_000);
  validateMs({ deregisterCriticalAfterMs }, minDeregisterMs);
  if (tags.includes("")) throw new RangeError("tags must not be empty");
  const passing = Math.min(Math.max(Math.round(weight), 1), maxConsulWeight);
  const id = `${service}-${host}-${port}`;
  return {
    ID: id,
    Name: service,
    Address: host,
    Port: port,
    Tags: tags,
    Meta: validateMeta(passing === weight ? metadata : { ...metadata, [weightKey]: String(weight) }),
    Weights: { Passing: passing, Warning: 1 },
    Check: {
      CheckID: `service:${id}`,
      Name: check.t === "ttl" ? "refreshed by the instance" : "gRPC health",
      DeregisterCriticalServiceAfter: `${Math.ceil(deregisterCriticalAfterMs)}ms`,
      ...(check.t === "ttl" ? { TTL: `${Math.ceil(ttlMs)}ms`, Status: "passing" } : probe(check, address, ttlMs)),
    },
  };
}

function probe(check: Extract<ConsulCheck, { t: "grpc" }>, address: Instance["address"], ttlMs: number) {
  const { intervalMs = Math.max(ttlMs / 3, minIntervalMs), timeoutMs = ttlMs / 3, service, tls = false } = check;
  validateMs({ intervalMs }, minIntervalMs);
  validateMs({ timeoutMs }, 1);
  return {
    GRPC: `${formatAddress(address)}${service === undefined ? "" : `/${service}`}`,
    GRPCUseTLS: tls,
    Interval: `${Math.ceil(intervalMs)}ms`,
    Timeout: `${Math.ceil(timeoutMs)}ms`,
  };
}

function validateMs(values: Readonly<Record<string, number>>, min: number): void {
  for (const [name, ms] of Object.entries(values)) {
    if (!(ms >= min && ms <= 86_400_000)) throw new RangeError(`${name} must be from ${min} to 86400000, got ${ms}`);
  }
}

/** The limits of agent/structs/structs.go: 64 pairs, keys of 128 characters, values of 512 bytes. */
function validateMeta(meta: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const pairs = Object.entries(meta);
  if (pairs.length > 64) throw new RangeError(`metadata must be at most 64 pairs in Consul, got ${pairs.length}`);
  for (const [key, value] of pairs) {
    const shown = key.length > 64 ? `${key.slice(0, 64)}…` : key;
    const wrong = (why: string) => new RangeError(`metadata "${shown}": in Consul ${why}`);
    if (!/^[a-zA-Z0-9_-]+$/.test(key)) throw wrong("a key must be of letters, digits, _ and -");
    if (key.length > 128) throw wrong(`a key must be at most 128 characters long, got ${key.length}`);
    if (key.startsWith("consul-")) throw wrong('a key must not begin with "consul-", which is reserved');
    const bytes = Buffer.byteLength(value);
    if (bytes > 512) throw wrong(`a value must be at most 512 bytes long, got ${bytes}`);
  }
  return meta;
}
