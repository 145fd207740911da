import { FakeDnsServer } from "@grpc-lb/discovery/testing";
import type { PodServer } from "../../processes/pod-server.ts";

/** A DNS server that knows of one service: what the strategy `dns-poll` asks. */
export interface NameServer {
  /** On 127.0.0.1, for UDP and TCP. */
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Starts a DNS server for the service `server.lab`. The servers share an address and each has a port of its own, which A
 * records cannot say: SRV records do, those of the port `grpc`.
 */
export async function startNameServer(servers: readonly PodServer[]): Promise<NameServer> {
  const dns = await FakeDnsServer.start();
  const hostOf = ({ podName }: PodServer) => `${podName}.lab`;
  const records = servers.map((server) => ({
    priority: 0,
    weight: 1,
    port: server.grpcPort,
    target: hostOf(server),
  }));
  dns.set("_grpc._tcp.server.lab", { SRV: records });
  for (const server of servers) dns.set(hostOf(server), { A: ["127.0.0.1"] });
  return { port: dns.address.port, close: () => dns.close() };
}
