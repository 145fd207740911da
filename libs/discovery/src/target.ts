/** A target, read. */
export interface KubernetesTarget {
  readonly t: "kubernetes";
  readonly service: string;
  /** Undefined: where the client itself is. */
  readonly namespace: string | undefined;
  /** A port's name or number; undefined: the one that most slices have. */
  readonly port: string | undefined;
}
export type Target = KubernetesTarget;

const grammar =
  "kubernetes:///service[.namespace][:port], kubernetes://namespace/service[:port] or kubernetes://service.namespace[:port]";

/**
 * Reads a target as a gRPC client is given one.
 *
 *     kubernetes:///service:port
 *     kubernetes:///service.namespace:port
 *     kubernetes:///service.namespace.svc.domain:port
 *     kubernetes://namespace/service:port
 *     kubernetes://service.namespace:port/
 *
 * The port is a number, a name, or absent for the first there is.
 *
 * @throws RangeError that names the target and what is wrong with it
 */
export function parseTarget(text: string): Target {
  const wrong = (why: string) => new RangeError(`target "${text}": ${why}; expected ${grammar}`);
  const match = /^([a-z][a-z0-9+.-]*):(?:\/\/([^/?]*))?\/*([^?]*)(?:\?(.*))?$/.exec(text);
  if (match?.[1] !== "kubernetes") throw wrong("it does not begin with kubernetes:");
  const [, , authority = "", path = "", query] = match;
  if (query) throw wrong(`unknown parameter "${query.split(/[=&]/)[0]}"`);
  // Not repeated: what stands there is meant to be secret.
  if (text.includes("@")) throw new RangeError("a kubernetes: target must not carry a user or a password");

  const name = path.replace(/\/+$/, "");
  // kubernetes://service.namespace:port/ has all in the authority; kubernetes://namespace/service has it in both.
  const { host, port } = splitPort(name === "" ? authority : name, wrong);
  const [service = "", fromName, third, ...domain] = host.split(".");
  if (third !== undefined && third !== "svc") throw wrong(`"${host}" is no service.namespace.svc.domain`);
  if (domain.some((label) => label === "")) throw wrong(`"${host}" has an empty label`);
  const fromAuthority = name === "" || authority === "" ? undefined : authority;
  if (fromAuthority !== undefined && fromName !== undefined && fromAuthority !== fromName) {
    throw wrong(`it names two namespaces, ${fromAuthority} and ${fromName}`);
  }
  const namespace = fromAuthority ?? fromName;
  for (const label of [service, ...(namespace === undefined ? [] : [namespace])]) {
    if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(label)) throw wrong(`"${label}" is no DNS label`);
  }
  return { t: "kubernetes", service, namespace, port };
}

function splitPort(text: string, wrong: (why: string) => RangeError): { host: string; port: string | undefined } {
  const [host = "", port, ...rest] = text.split(":");
  if (host === "") throw wrong("it names no service");
  if (rest.length > 0 || host.includes("/")) throw wrong(`"${text}" is no service:port`);
  if (port === undefined) return { host, port };
  const isNumber = /^\d+$/.test(port);
  const isWrong = isNumber
    ? Number(port) < 1 || Number(port) > 65_535
    : !/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(port);
  if (isWrong) throw wrong(`"${port}" is no port`);
  return { host, port };
}
