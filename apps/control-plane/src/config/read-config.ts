import { FieldError, type FieldPath } from "@grpc-lb/discovery/file/api";
import type { Backend, Config, Service, Split, Steering } from "./config.ts";
import { type Fields, readObject, show } from "./fields.ts";
import { backendFields, readBackend } from "./read-backend.ts";
import { readRoute } from "./read-route.ts";

/** The most services of a configuration. */
export const maxServices = 1_000;

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

function readSplit(fields: Fields): Split {
  const foreign = backendFields.find((name) => fields.has(name));
  if (foreign !== undefined) throw fields.wrong(foreign, "does not go with split; give it to the parts");
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
      if (route.hashHeader !== undefined && !mayHash(backend)) {
        throw new FieldError([...path, "hashHeader"], `has no effect with policy ${backend.policy.t}; ${hashes}`);
      }
      continue;
    }
    for (const { service } of backend.parts) {
      const part = config.services.get(service);
      if (part?.backend.t === "backend") continue;
      const why = part ? "must not be split itself" : "must be a service of this configuration";
      throw new FieldError([...path, "split", service], why);
    }
    const canHash = backend.parts.some(({ service }) => mayHash(config.services.get(service)?.backend));
    if (route.hashHeader !== undefined && !canHash) {
      throw new FieldError([...path, "hashHeader"], `has no effect with the policies of its parts; ${hashes}`);
    }
  }
  return config;
}

const isHash = ({ policy }: Backend) => policy.t === "ring_hash" || policy.t === "maglev";
/** Whether a policy may use the hash of the header. One that only clients know may have a child that does. */
const mayHash = (backend: Service["backend"] | undefined) =>
  backend?.t === "backend" && (isHash(backend) || backend.policy.t === "custom");
const hashes = "ring_hash and maglev hash it";
