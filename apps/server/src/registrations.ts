import type { Clock } from "@grpc-lb/core";
import { formatAddress } from "@grpc-lb/discovery";
import {
  type Address,
  parseAddress,
  parseRegistrationTarget,
  type Registration,
  type RegistrationTarget,
  register,
} from "@grpc-lb/discovery/registration";
import { type Flag, listFlag, ProgramError } from "@grpc-lb/program";
import type { Pod } from "@grpc-lb/protos/pod/v1";
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
  defaultText:
    "the pod's, else the one that is listened on, else that of the interface towards the registry, but no loopback",
  parse(text) {
    const hasPort = /:\d+$/.test(text);
    let address: Address;
    try {
      address = parseAddress(hasPort ? text : `${text}:1`);
    } catch {
      throw new RangeError(`must be host or host:port, an IPv6 host in brackets, got "${text}"`); // not the port added here
    }
    const { host } = address;
    if (isWildcard(host)) throw new RangeError(`must be an address that others can reach, got "${text}"`);
    return hasPort ? address : { host };
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
  /** Called when a registry has it, for the first time and after an error. */
  readonly onRegistered: (subject: string) => void;
  readonly clock: Clock;
  /** Aborted when the server is to end: it goes to no further registry. */
  readonly signal: AbortSignal;
}

/**
 * Registers a server that serves. Registries that cannot be reached are tried again and again; nothing waits for them.
 *
 * @throws ProgramError when a registry cannot take it as it is; then it is in none
 */
export async function registerServer(options: RegistrationOptions): Promise<Registration[]> {
  const { targets, pod, weight, onError, onRegistered, signal } = options;
  const known = {
    podName: pod.name,
    namespace: pod.namespace,
    nodeName: pod.node,
    zone: pod.zone,
    version: pod.version,
  };
  const metadata = Object.fromEntries(Object.entries(known).filter(([, value]) => value !== ""));
  const registrations: Registration[] = [];
  for (const target of targets) {
    const registry = target.t === "etcd" ? target.members[0] : target.agent;
    if (!registry) continue;
    const address = await ownAddress({ ...options, podIp: pod.ip, registry });
    if (signal.aborted) break;
    try {
      let subject = "";
      const hooks = { onError, onRegistered: () => onRegistered(subject) };
      const registration = await register(target, { address, metadata, weight }, hooks);
      subject = registration.subject;
      registrations.push(registration);
    } catch (cause) {
      await Promise.all(registrations.map((registration) => registration.close()));
      const message = `cannot be registered in ${target.t} at ${formatAddress(registry)}: ${(cause as Error).message}`;
      throw new ProgramError(message, { cause, exitCode: 2 });
    }
  }
  return registrations;
}
