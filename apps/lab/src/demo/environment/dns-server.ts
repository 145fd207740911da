import { FakeDnsServer } from "@grpc-lb/discovery/testing";
import type { PodServer } from "../../processes/pod-server.ts";

/** The DNS server that the strategy `dns-poll` queries. */
export interface DnsServer {
  /** On 127.0.0.1, for UDP and TCP. */
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Starts a DNS server for the service `server.lab`. The servers share one address and have different ports, so the ports are
 * published by SRV records, under the port name `grpc`; A records have no ports.
 */
export async function startDnsServer(servers: readonly PodServer[]): Promise<DnsServer> {
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
