import { FakeDnsServer } from "@grpc-lb/discovery/testing";
import type { PodServer } from "../../processes/pod-server.ts";

/** The DNS server that the strategy `dns-poll` queries. */
export interface DnsServer {
  /** On 127.0.0.1, for UDP and TCP. */
  readonly port: number;
  /** Publishes these servers. */
  update(servers: readonly PodServer[]): void;
  /** Stops listening and ends all connections. */
  stop(): Promise<void>;
  /** Listens again, on the same port. */
  start(): Promise<void>;
  close(): Promise<void>;
}

/** The least time after which `dns-poll:` asks again. */
const ttlSeconds = 1;

/**
 * Starts a DNS server for the service `server.lab`. The servers share one address and have different ports, so the ports are
 * published by SRV records, under the port name `grpc`; A records have no ports.
 */
export async function startDnsServer(servers: readonly PodServer[]): Promise<DnsServer> {
  const dns = await FakeDnsServer.start();
  const hostOf = ({ podName }: PodServer) => `${podName}.lab`;
  const update = (current: readonly PodServer[]) => {
    const records = current.map((server) => ({
      priority: 0,
      weight: 1,
      port: server.grpcPort,
      target: hostOf(server),
    }));
    dns.set("_grpc._tcp.server.lab", { SRV: records, ttlSeconds });
    for (const server of current) dns.set(hostOf(server), { A: ["127.0.0.1"], ttlSeconds });
  };
  update(servers);
  const stop = () => dns.close();
  return { port: dns.address.port, update, stop, start: () => dns.start(), close: stop };
}
