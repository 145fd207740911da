import { networkInterfaces } from "node:os";

/**
 * The address to listen on. An empty host means every interface: `::`, which includes IPv4, if the machine has IPv6, else
 * `0.0.0.0`, because a kernel without IPv6 rejects `::`.
 */
export function listenHost(host: string): string {
  if (host !== "") return host;
  const addresses = Object.values(networkInterfaces()).flat();
  return addresses.some((address) => address?.family === "IPv6") ? "::" : "0.0.0.0";
}
