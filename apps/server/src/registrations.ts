import { type Clock, messageOf, redactAddress } from "@grpc-lb/core";
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
  help: "registry to register in, such as etcd://127.0.0.1:2379/server?ttl=5s or consul://127.0.0.1:8500/server?tag=v1",
  parse: parseRegistration,
});

function parseRegistration(text: string): RegistrationTarget {
  try {
    return parseRegistrationTarget(text);
  } catch (error) {
    throw new RangeError(`is invalid: ${messageOf(error)}`);
  }
}

const advertiseFlag: Flag<Partial<Address>> = {
  metavar: "host[:port]",
  help: "address to register",
  default: {},
  defaultText: "the pod's, else the bind address, else that of the interface towards the registry, never loopback",
  parse(text) {
    const hasPort = /:\d+$/.test(text);
    let address: Address;
    try {
      address = parseAddress(hasPort ? text : `${text}:1`);
    } catch {
      throw new RangeError(`must be host or host:port, an IPv6 host in brackets, got "${redactAddress(text)}"`); // not about the port that was added here
    }
    const { host } = address;
    if (isWildcard(host))
      throw new RangeError(`must be an address that others can reach, got "${redactAddress(text)}"`);
    return hasPort ? address : { host };
  },
};

/** The flags of registrations. */
export const registrationFlags = { register: registerFlag, advertise: advertiseFlag };

/** Where to register, and what. */
export interface RegistrationOptions {
  readonly targets: readonly RegistrationTarget[];
  readonly pod: Pod;
  readonly weight: number;
  readonly advertise: Partial<Address>;
  readonly bindAddress: string;
  /** The gRPC port. */
  readonly port: number;
  /** Takes the error of a failed attempt; the next attempt follows by itself. */
  readonly onError: (error: Error) => void;
  /** Called when a registry has the server, for the first time and after an error. */
  readonly onRegistered: (subject: string) => void;
  readonly clock: Clock;
  /** Aborted when the server ends: no further registration starts. */
  readonly signal: AbortSignal;
}

/**
 * Registers a server that is ready. Does not wait for a registry that cannot be reached: the registration retries by itself.
 *
 * @throws ProgramError when a registry does not accept this server; then it is registered in none
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
      const message = `cannot register in ${target.t} at ${formatAddress(registry)}: ${messageOf(cause)}`;
      throw new ProgramError(message, { cause, exitCode: 2 });
    }
  }
  return registrations;
}
