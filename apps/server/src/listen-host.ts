import { networkInterfaces } from "node:os";

/**
 * The address to listen on. An empty host means every interface: `::`, which takes IPv4 too, where the machine has IPv6 at
 * all, else `0.0.0.0`; a kernel without IPv6 refuses `::`.
 */
export function listenHost(host: string): string {
  if (host !== "") return host;
  const addresses = Object.values(networkInterfaces()).flat();
  return addresses.some((address) => address?.family === "IPv6") ? "::" : "0.0.0.0";
}
