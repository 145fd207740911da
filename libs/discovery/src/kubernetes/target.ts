import { isPort } from "../core/address.ts";
import type { Scheme } from "../core/target/scheme.ts";

/** `kubernetes:///service.namespace:port`: a Kubernetes service. */
export interface KubernetesTarget {
  readonly t: "kubernetes";
  readonly service: string;
  /** Undefined: where the client itself is. */
  readonly namespace: string | undefined;
  /** A port's name or number; undefined: the one that most slices have. */
  readonly port: string | undefined;
}

export const kubernetes: Scheme<KubernetesTarget> = {
  grammar:
    "kubernetes:///service[.namespace][:port], kubernetes://namespace/service[:port] or kubernetes://service.namespace[:port]",
  parameters: [],
  mayOmitSlashes: true,
  parse({ authority, path, wrong }) {
    const name = path.replace(/\/+$/, "");
    // kubernetes://service.namespace:port/ has all in the authority; kubernetes://namespace/service has it in both.
    const { host, port } = splitPort(name === "" ? authority : name, wrong);
    const [service = "", fromName, third, ...domain] = host.split(".");
    if (third !== undefined && third !== "svc") throw wrong(`"${host}" must be service.namespace.svc.domain`);
    if (domain.some((label) => label === "")) throw wrong(`"${host}" has an empty label`);
    const fromAuthority = name === "" || authority === "" ? undefined : authority;
    if (fromAuthority !== undefined && fromName !== undefined && fromAuthority !== fromName) {
      throw wrong(`it names two namespaces, "${fromAuthority}" and "${fromName}"`);
    }
    const namespace = fromAuthority ?? fromName;
    for (const label of [service, ...(namespace === undefined ? [] : [namespace])]) {
      if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(label)) throw wrong(`"${label}" must be a DNS label`);
    }
    return { t: "kubernetes", service, namespace, port };
  },
};

function splitPort(text: string, wrong: (why: string) => RangeError): { host: string; port: string | undefined } {
  const [host = "", port, ...rest] = text.split(":");
  if (host === "") throw wrong("it names no service");
  if (rest.length > 0 || host.includes("/")) throw wrong(`"${text}" must be service:port`);
  if (port !== undefined && !isPort(port, 63)) throw wrong(`"${port}" must be a port number or name`);
  return { host, port };
}
