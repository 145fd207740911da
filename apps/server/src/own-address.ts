import { createSocket, type SocketOptions } from "node:dgram";
import { once } from "node:events";
import { isIPv6 } from "node:net";
import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";
import type { Clock } from "@grpc-lb/core";
import type { Address } from "@grpc-lb/discovery/registration";

/** The sources of this server's address. */
export interface OwnAddressOptions {
  /** From the user; comes first. */
  readonly advertise: Partial<Address>;
  /** From the Downward API; empty for unknown. */
  readonly podIp: string;
  /** Empty for every interface. */
  readonly bindAddress: string;
  /** The gRPC port. */
  readonly port: number;
  /** Where the address is to be registered. */
  readonly registry: Address;
  readonly clock: Clock;
  /** Aborted when the server ends: ends the lookup. */
  readonly signal: AbortSignal;
  /** Default: the system's. */
  readonly lookup?: Lookup;
}

export type Lookup = NonNullable<SocketOptions["lookup"]>;

/** How long the lookup of the registry's name may take; meanwhile the server serves and is not registered. */
const lookupMs = 2_000;

/**
 * Returns the address to register: that of `advertise`, else the pod's, else the bind address, else that of the interface on the
 * route to the registry. If that is loopback, as with a Consul agent on this machine, the first address that other machines
 * can reach.
 */
export async function ownAddress(options: OwnAddressOptions): Promise<Address> {
  const { advertise, podIp, bindAddress } = options;
  const port = advertise.port ?? options.port;
  const known = advertise.host || podIp || (isWildcard(bindAddress) ? "" : bindAddress);
  return { host: known || (await hostTowards(options)) || firstHost(networkInterfaces()), port };
}

/** Whether an address means every interface. */
export function isWildcard(host: string): boolean {
  return host === "" || /^[0:.]+$/.test(host);
}

/** Connects a UDP socket, which sends nothing, to find the route. Empty when unknown in time, and for loopback. */
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
    return ""; // its name is unknown yet, or there is no route now
  } finally {
    answered.abort();
    socket.close();
  }
}

const isLoopback = (host: string) => /^127\.|^::1$/.test(host);
const isLinkLocal = (host: string) => /^169\.254\.|^fe[89ab]/i.test(host);

/** The first address that other machines may reach, IPv4 before IPv6; 127.0.0.1 if there is none. */
export function firstHost(interfaces: NodeJS.Dict<readonly NetworkInterfaceInfo[]>): string {
  const all = Object.values(interfaces).flatMap((addresses) => addresses ?? []);
  const usable = all.filter(({ internal, address }) => !internal && !isLinkLocal(address));
  return (usable.find(({ family }) => family === "IPv4") ?? usable[0])?.address ?? "127.0.0.1";
}
