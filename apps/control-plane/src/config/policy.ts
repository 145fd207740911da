import { describeKind, FieldError, type FieldPath } from "@grpc-lb/discovery/file/api";
import { type Fields, readObject } from "./fields.ts";

/** How clients choose an endpoint, with the fields that every client of xDS knows. */
export type Policy =
  | { readonly t: "round_robin" }
  | { readonly t: "random" }
  | { readonly t: "least_request"; readonly choiceCount: number }
  | { readonly t: "ring_hash"; readonly minRingSize: number; readonly maxRingSize: number }
  | { readonly t: "maglev"; readonly tableSize: number }
  | { readonly t: "weighted_round_robin" }
  /** A policy that only clients have which registered it by this name, and its config as they read it; others use round_robin. */
  | { readonly t: "custom"; readonly name: string; readonly config: Readonly<Record<string, unknown>> };

/** The policies of @grpc-lb/policies that xDS has no name for. */
const customPolicies = ["weighted_random", "peak_ewma", "source_hash", "locality", "subset"] as const;

/** gRFC A42 caps rings at 8 Mi entries. */
const ringSize = { min: 1, max: 8_388_608 };

const readers: Readonly<Record<Exclude<Policy["t"], "custom">, (fields: Fields) => Policy>> = {
  round_robin: () => ({ t: "round_robin" }),
  random: () => ({ t: "random" }),
  least_request: (fields) => ({
    t: "least_request",
    choiceCount: fields.integer("choiceCount", 2, { min: 2, max: 100 }),
  }),
  ring_hash(fields) {
    const minRingSize = fields.integer("minRingSize", 1_024, ringSize);
    const maxRingSize = fields.integer("maxRingSize", Math.max(4_096, minRingSize), ringSize);
    if (maxRingSize < minRingSize) {
      throw fields.wrong("maxRingSize", `must be at least minRingSize, ${minRingSize}, got ${maxRingSize}`);
    }
    return { t: "ring_hash", minRingSize, maxRingSize };
  },
  maglev: (fields) => ({ t: "maglev", tableSize: fields.integer("tableSize", 65_537, { min: 3, max: 5_000_011 }) }),
  weighted_round_robin: () => ({ t: "weighted_round_robin" }),
};

/** The policies that a service may have. */
export const policyNames: readonly string[] = [...Object.keys(readers), ...customPolicies];

/**
 * Reads a policy: its name, or `{ name: config }`. The config of a policy that xDS has no name for is passed on as it is; the client
 * checks it.
 */
export function readPolicy(value: unknown, path: FieldPath): Policy {
  if (value === undefined) return { t: "round_robin" };
  if (typeof value === "string") return readNamed(value, {}, path);
  const wrong = (got: string) => new FieldError(path, `must be ${policyForm}, got ${got}`);
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong(describeKind(value));
  const [entry, second] = Object.entries(value);
  if (!entry || second) throw wrong(entry ? "an object with several fields" : "an empty object");
  return readNamed(entry[0], entry[1] ?? {}, path);
}

const policyForm = `one of ${policyNames.join(", ")}, or an object with such a name and its fields`;

function readNamed(name: string, config: unknown, path: FieldPath): Policy {
  if (Object.hasOwn(readers, name)) {
    return readObject(config, [...path, name], readers[name as keyof typeof readers]);
  }
  if (!customPolicies.some((custom) => custom === name)) {
    throw new FieldError(path, `must be ${policyForm}, got ${/^\w{1,40}$/.test(name) ? `"${name}"` : "another text"}`);
  }
  if (typeof config !== "object" || config === null || Array.isArray(config)) {
    throw new FieldError([...path, name], `must be an object, got ${describeKind(config)}`);
  }
  return { t: "custom", name, config: config as Readonly<Record<string, unknown>> };
}
