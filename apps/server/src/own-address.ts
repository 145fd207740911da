import { createSocket } from "node:dgram";
import { once } from "node:events";
import { isIPv6 } from "node:net";
import { networkInterfaces } from "node:os";
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
}

/**
 * The address to register: what was said, else the pod's, else the one that is listened on, else that of the interface which
 * leads to the registry.
 */
export async function ownAddress(options: OwnAddressOptions): Promise<Address> {
  const { advertise, podIp, bindAddress, registry } = options;
  const port = advertise.port ?? options.port;
  const known = advertise.host || podIp || (isWildcard(bindAddress) ? "" : bindAddress);
  return { host: known || (await hostTowards(registry)) || firstHost(), port };
}

/** Addresses that mean every interface. */
export function isWildcard(host: string): boolean {
  return host === "" || /^[0:.]+$/.test(host);
}

/** Asks the system's routes; nothing is sent. */
async function hostTowards({ host, port }: Address): Promise<string> {
  const socket = createSocket(isIPv6(host) ? "udp6" : "udp4");
  try {
    socket.connect(port, host);
    await once(socket, "connect");
    return socket.address().address;
  } catch {
    return ""; // its name is not known yet, or there is no way to it now
  } finally {
    socket.close();
  }
}

function firstHost(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ internal, family }) => !internal && family === "IPv4")?.address ?? "127.0.0.1";
}
