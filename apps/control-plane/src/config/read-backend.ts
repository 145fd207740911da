import { messageOf } from "@grpc-lb/core";
import { parseTarget } from "@grpc-lb/discovery";
import { FieldError } from "@grpc-lb/discovery/file/api";
import type { Backend, CircuitBreaker, Locality, OutlierDetection, Steering } from "./config.ts";
import { type Fields, readObject } from "./fields.ts";
import { readPolicy } from "./policy.ts";

const uint32 = 2 ** 32 - 1;
const milliseconds = { min: 1 };
const percent = { min: 0, max: 100 };
/** The pairs of a source's priority and a zone's become priorities of EDS, which are at most 128. */
const priorities = { min: 0, max: 10 };

/** The fields that a service with endpoints of its own has, and one that is split does not. */
export const backendFields = [
  "localities",
  "policy",
  "outlierDetection",
  "circuitBreaker",
  "dropPercent",
  "steering",
] as const;

/** Reads where the calls of a service go. All other fields of the service must be read. @throws FieldError */
export function readBackend(fields: Fields): Backend {
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
  const detection = {
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
  fields.end(); // a misspelt name is the better explanation of none
  const { consecutiveErrors, failurePercentage, successRate } = detection;
  if (consecutiveErrors ?? failurePercentage ?? successRate) return detection;
  throw new FieldError(fields.path, "has no effect without consecutiveErrors, failurePercentage or successRate");
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
