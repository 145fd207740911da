import { isIP } from "node:net";
import { messageOf } from "@grpc-lb/core";
import { parseTarget } from "@grpc-lb/discovery";
import { FieldError, type FieldPath } from "@grpc-lb/discovery/file/api";
import {
  type Backend,
  type CircuitBreaker,
  type Config,
  type Locality,
  type OutlierDetection,
  type Retries,
  type Route,
  retryConditions,
  type Service,
  type Split,
  type Steering,
} from "./config.ts";
import { type Fields, readObject, show } from "./fields.ts";
import { readPolicy } from "./policy.ts";

/** The most services of a configuration. */
export const maxServices = 1_000;

const uint32 = 2 ** 32 - 1;
const milliseconds = { min: 1 };
const percent = { min: 0, max: 100 };
/** The pairs of a source's priority and a zone's become priorities of EDS, which are at most 128. */
const priorities = { min: 0, max: 10 };

/**
 * Reads the value of a configuration: checks each field, fills in defaults, and checks that names refer to services that exist.
 *
 * @throws FieldError that names the first field that is not valid, by its path, and what is allowed
 */
export function readConfig(value: unknown): Config {
  if (value === undefined || value === null) {
    throw new FieldError([], "the file is empty; it must have services");
  }
  return readObject(value, [], (fields) => {
    const services = fields.entries("services", "services by name", readService) ?? [];
    fields.end(); // a misspelt name is the better explanation of none
    if (services.length === 0) throw fields.wrong("services", "must have at least one service");
    if (services.length > maxServices) throw fields.wrong("services", `must be at most ${maxServices}`);
    return checkReferences({ services: new Map(services.map((service) => [service.name, service])) });
  });
}

/** A configuration of services that have a target and defaults for the rest. @throws FieldError as `readConfig` */
export function configOf(
  served: ReadonlyMap<string, string>,
  envoyPorts: ReadonlyMap<string, number>,
  steering: Steering["by"],
): Config {
  const services = [...served].map(([name, target]) => {
    const envoyPort = envoyPorts.get(name);
    return [name, { target, steering, ...(envoyPort !== undefined && { envoyPort }) }];
  });
  return readConfig({ services: Object.fromEntries(services) });
}

function readService(name: string, value: unknown, path: FieldPath): Service {
  if (!isServiceName(name)) {
    throw new FieldError(path, `must be named by letters, digits, "-", "_" and ".", with or without a port`);
  }
  return readObject(value, path, (fields) => {
    const route = readRoute(fields);
    const kinds = ["target", "sources", "split"].filter((kind) => fields.has(kind));
    if (kinds.length > 1) {
      throw new FieldError(path, `must have one of target, sources, split, got ${kinds.join(" and ")}`);
    }
    return { name, route, backend: kinds[0] === "split" ? readSplit(fields) : readBackend(fields) };
  });
}

/** Whether a text may name a service: `server`, `server.shop`, `server:30051`. */
export const isServiceName = (name: string): boolean =>
  name.length <= 253 && /^[a-z0-9]([\w.-]*[a-z0-9])?(:\d{1,5})?$/i.test(name);

function readRoute(fields: Fields): Route {
  return {
    timeoutMs: fields.duration("timeout", undefined, milliseconds),
    retries: fields.object("retries", readRetries),
    hashHeader: fields.text("hashHeader", undefined)?.toLowerCase(),
    envoyPort: fields.integer("envoyPort", undefined, { min: 1, max: 65_535 }),
    envoyAddress: readAddress(fields, "envoyAddress", "0.0.0.0"),
  };
}

function readAddress(fields: Fields, name: string, fallback: string): string {
  const address = fields.text(name, fallback);
  if (isIP(address) === 0) throw fields.wrong(name, "must be an IP address");
  return address;
}

function readRetries(fields: Fields): Retries {
  const baseBackoffMs = fields.duration("baseBackoff", 25, milliseconds);
  const maxBackoffMs = fields.duration("maxBackoff", 10 * baseBackoffMs, milliseconds);
  if (maxBackoffMs < baseBackoffMs) throw fields.wrong("maxBackoff", "must be at least baseBackoff");
  return {
    attempts: fields.integer("attempts", 1, { min: 1, max: 10 }),
    on: fields.choices("on", retryConditions, ["unavailable"]),
    baseBackoffMs,
    maxBackoffMs,
  };
}

function readSplit(fields: Fields): Split {
  const entries = fields.entries("split", "weights by service", (service, weight, path) => {
    if (typeof weight !== "number" || !Number.isInteger(weight) || weight < 0 || weight > 1e6) {
      throw new FieldError(path, `must be a whole number from 0 to 1000000, got ${show(weight)}`);
    }
    return { service, weight };
  });
  const parts = entries ?? [];
  if (!parts.some(({ weight }) => weight > 0)) throw fields.wrong("split", "must have a weight above 0");
  return { t: "split", parts };
}

function readBackend(fields: Fields): Backend {
  const zones = fields.list("localities", (value, path) => readObject(value, path, readLocality));
  const localities = new Map<string, Locality>();
  for (const [n, [zone, locality]] of zones.entries()) {
    if (localities.has(zone)) throw new FieldError([...fields.path, "localities", n, "zone"], "is given twice");
    localities.set(zone, locality);
  }
  const backend = {
    t: "backend",
    localities,
    policy: readPolicy(fields.any("policy"), [...fields.path, "policy"]),
    outlierDetection: fields.object("outlierDetection", readOutlierDetection),
    circuitBreaker: fields.object("circuitBreaker", readCircuitBreaker) ?? defaultCircuitBreaker,
    dropPercent: fields.number("dropPercent", 0, percent),
    steering: readSteering(fields),
  } as const;
  return { ...backend, sources: readSources(fields) };
}

/** To be called when all other fields are read: a misspelt one is the better explanation of none. */
function readSources(fields: Fields): Backend["sources"] {
  if (fields.has("target")) return [{ target: readTarget(fields), priority: 0 }];
  const sources = fields.list("sources", (value, path) => readObject(value, path, readSource));
  if (sources.length > 0) return sources;
  if (fields.has("sources")) throw fields.wrong("sources", "must have at least one source");
  for (const name of ["target", "split"]) fields.any(name);
  fields.end();
  throw new FieldError(fields.path, "must have one of target, sources, split, got none");
}

const readSource = (fields: Fields) => ({
  target: readTarget(fields),
  priority: fields.integer("priority", 0, priorities),
});

function readTarget(fields: Fields): string {
  const target = fields.text("target", undefined);
  if (target === undefined) throw fields.wrong("target", "is missing");
  try {
    parseTarget(target);
  } catch (error) {
    throw fields.wrong("target", `is not valid: ${messageOf(error)}`);
  }
  return target;
}

function readLocality(fields: Fields): readonly [zone: string, locality: Locality] {
  const zone = fields.text("zone", undefined);
  if (zone === undefined) throw fields.wrong("zone", "is missing");
  return [
    zone,
    {
      weight: fields.integer("weight", undefined, { min: 1, max: 1e6 }),
      priority: fields.integer("priority", 0, priorities),
    },
  ];
}

/** No limit. Without these, gRPC (gRFC A32) and Envoy would fail the calls above 1024 in progress. */
const defaultCircuitBreaker: CircuitBreaker = {
  maxRequests: uint32,
  maxConnections: uint32,
  maxPendingRequests: uint32,
};

function readCircuitBreaker(fields: Fields): CircuitBreaker {
  const limit = { min: 1, max: uint32 };
  return {
    maxRequests: fields.integer("maxRequests", uint32, limit),
    maxConnections: fields.integer("maxConnections", uint32, limit),
    maxPendingRequests: fields.integer("maxPendingRequests", uint32, limit),
  };
}

function readOutlierDetection(fields: Fields): OutlierDetection {
  const baseEjectionTimeMs = fields.duration("baseEjectionTime", 30_000, milliseconds);
  return {
    intervalMs: fields.duration("interval", 10_000, milliseconds),
    baseEjectionTimeMs,
    maxEjectionTimeMs: fields.duration("maxEjectionTime", Math.max(300_000, baseEjectionTimeMs), {
      min: baseEjectionTimeMs,
    }),
    maxEjectionPercent: fields.integer("maxEjectionPercent", 10, percent),
    consecutiveErrors: fields.integer("consecutiveErrors", undefined, { min: 1, max: uint32 }),
    failurePercentage: fields.object("failurePercentage", (part) => ({
      threshold: part.integer("threshold", 85, percent),
      minimumHosts: part.integer("minimumHosts", 5, { min: 1, max: uint32 }),
      requestVolume: part.integer("requestVolume", 50, { min: 1, max: uint32 }),
    })),
    successRate: fields.object("successRate", (part) => ({
      stdevFactor: part.integer("stdevFactor", 1_900, { min: 0, max: uint32 }),
      minimumHosts: part.integer("minimumHosts", 5, { min: 1, max: uint32 }),
      requestVolume: part.integer("requestVolume", 100, { min: 1, max: uint32 }),
    })),
  };
}

/** A word, or an object. */
function readSteering(fields: Fields): Steering {
  const words = ["off", "orca", "lrs"] as const;
  const value = fields.any("steering");
  const isWord = value === undefined || typeof value === "string";
  const json = isWord ? { by: fields.choice("steering", words, "off") } : value;
  return readObject(json, [...fields.path, "steering"], (part) => ({
    by: part.choice("by", words, "off"),
    intervalMs: part.duration("interval", 1_000, { min: 100 }),
    minFactor: part.number("minFactor", 0.1, { min: 0.01, max: 1 }),
    maxFactor: part.number("maxFactor", 3, { min: 1, max: 100 }),
  }));
}

/** Checks what can be checked only when all services are known. */
function checkReferences(config: Config): Config {
  const ports = new Map<number, string>();
  for (const { name, route, backend } of config.services.values()) {
    const path = ["services", name];
    const { envoyPort } = route;
    const other = envoyPort === undefined ? undefined : ports.get(envoyPort);
    if (other !== undefined) throw new FieldError([...path, "envoyPort"], `must differ from that of ${other}`);
    if (envoyPort !== undefined) ports.set(envoyPort, name);
    if (backend.t !== "split") {
      if (isHash(backend) && route.hashHeader === undefined) {
        throw new FieldError([...path, "policy"], `${backend.policy.t} needs hashHeader, the header that it hashes`);
      }
      continue;
    }
    for (const { service } of backend.parts) {
      const part = config.services.get(service);
      if (part?.backend.t === "backend") continue;
      const why = part ? "must not be split itself" : "must be a service of this configuration";
      throw new FieldError([...path, "split", service], why);
    }
  }
  return config;
}

const isHash = ({ policy }: Backend) => policy.t === "ring_hash" || policy.t === "maglev";
