import {
  type Address,
  parseAddress,
  parseRegistrationTarget,
  type Registration,
  type RegistrationTarget,
  register,
} from "@grpc-lb/discovery/registration";
import type { Pod } from "@grpc-lb/protos/pod/v1";
import { type Flag, listFlag } from "@grpc-lb/runtime/process";
import { isWildcard, ownAddress } from "./own-address.ts";

const registerFlag = listFlag({
  metavar: "target",
  help: "registry to stand in, such as etcd://127.0.0.1:2379/server?ttl=5s or consul://127.0.0.1:8500/server?tag=v1",
  parse: parseRegistration,
});

function parseRegistration(text: string): RegistrationTarget {
  try {
    return parseRegistrationTarget(text);
  } catch (error) {
    throw new RangeError(`is refused: ${(error as Error).message}`);
  }
}

const advertiseFlag: Flag<Partial<Address>> = {
  metavar: "host[:port]",
  help: "address to register",
  default: {},
  defaultText: "the pod's, else the one that is listened on, else that of the interface towards the registry",
  parse(text) {
    const hasPort = /:\d+$/.test(text);
    const { host, port } = parseAddress(hasPort ? text : `${text}:1`);
    if (isWildcard(host)) throw new RangeError(`must be an address that others can reach, got "${text}"`);
    return hasPort ? { host, port } : { host };
  },
};

/** The flags by which a server stands in registries. */
export const registrationFlags = { register: registerFlag, advertise: advertiseFlag };

/** What is told to a registry, and on which address. */
export interface RegistrationOptions {
  readonly targets: readonly RegistrationTarget[];
  readonly pod: Pod;
  readonly weight: number;
  readonly advertise: Partial<Address>;
  readonly bindAddress: string;
  /** Of gRPC. */
  readonly port: number;
  /** Takes what keeps it from a registry. */
  readonly onError: (error: Error) => void;
}

/**
 * Registers a server that serves. Registries that cannot be reached are tried again and again; nothing waits for them.
 *
 * @throws RangeError for an instance that a registry cannot take
 */
export async function registerServer(options: RegistrationOptions): Promise<Registration[]> {
  const { targets, pod, weight, onError } = options;
  const registrations: Registration[] = [];
  for (const target of targets) {
    const registry = target.t === "etcd" ? target.members[0] : target.agent;
    if (!registry) continue;
    const address = await ownAddress({ ...options, podIp: pod.ip, registry });
    const known = {
      podName: pod.name,
      namespace: pod.namespace,
      nodeName: pod.node,
      zone: pod.zone,
      version: pod.version,
    };
    const metadata = Object.fromEntries(Object.entries(known).filter(([, value]) => value !== ""));
    registrations.push(await register(target, { address, metadata, weight }, { onError }));
  }
  return registrations;
}
