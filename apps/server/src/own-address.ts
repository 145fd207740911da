import { createSocket, type SocketOptions } from "node:dgram";
import { once } from "node:events";
import { isIPv6 } from "node:net";
import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";
import type { Clock } from "@grpc-lb/core";
import type { Address } from "@grpc-lb/discovery/registration";

/** What is known of where this server can be reached. */
export interface OwnAddressOptions {
  /** By the user's word; comes first. */
  readonly advertise: Partial<Address>;
  /** By the Downward API's; empty for unknown. */
  readonly podIp: string;
  /** Empty for every interface. */
  readonly bindAddress: string;
  /** On which gRPC is served. */
  readonly port: number;
  /** Whom the address is to be told. */
  readonly registry: Address;
  readonly clock: Clock;
  /** Aborted when the server is to end: then nothing is waited for. */
  readonly signal: AbortSignal;
  /** Default: the system's. */
  readonly lookup?: Lookup;
}

export type Lookup = NonNullable<SocketOptions["lookup"]>;

/** How long the registry's name is looked up; meanwhile the server serves and is not registered. */
const lookupMs = 2_000;

/**
 * The address to register: what was said, else the pod's, else the one that is listened on, else that of the interface which
 * leads to the registry. To one on this machine, as Consul's agents are, leads the loopback, where nobody else finds the server:
 * then it is the machine's first address that others can reach.
 */
export async function ownAddress(options: OwnAddressOptions): Promise<Address> {
  const { advertise, podIp, bindAddress } = options;
  const port = advertise.port ?? options.port;
  const known = advertise.host || podIp || (isWildcard(bindAddress) ? "" : bindAddress);
  return { host: known || (await hostTowards(options)) || firstHost(networkInterfaces()), port };
}

/** Addresses that mean every interface. */
export function isWildcard(host: string): boolean {
  return host === "" || /^[0:.]+$/.test(host);
}

/** Asks the system's routes; nothing is sent. Empty for what is not known in time, and for loopback. */
async function hostTowards({ registry: { host, port }, clock, signal, lookup }: OwnAddressOptions): Promise<string> {
  const socket = createSocket({ type: isIPv6(host) ? "udp6" : "udp4", ...(lookup && { lookup }) });
  const answered = new AbortController();
  try {
    const late = clock.sleep(lookupMs, AbortSignal.any([signal, answered.signal])).then(() => false);
    socket.connect(port, host);
    const isConnected = await Promise.race([once(socket, "connect").then(() => true), late]);
    const address = isConnected ? socket.address().address : "";
    return isLoopback(address) ? "" : address;
  } catch {
    return ""; // its name is not known yet, or there is no way to it now
  } finally {
    answered.abort();
    socket.close();
  }
}

const isLoopback = (host: string) => /^127\.|^::1$/.test(host);
const isLinkLocal = (host: string) => /^169\.254\.|^fe[89ab]/i.test(host);

/** The first address that other machines may reach, IPv4 before IPv6; loopback where there is none. */
export function firstHost(interfaces: NodeJS.Dict<readonly NetworkInterfaceInfo[]>): string {
  const all = Object.values(interfaces).flatMap((addresses) => addresses ?? []);
  const usable = all.filter(({ internal, address }) => !internal && !isLinkLocal(address));
  return (usable.find(({ family }) => family === "IPv4") ?? usable[0])?.address ?? "127.0.0.1";
}
