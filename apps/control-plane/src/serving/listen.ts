import { Server, ServerCredentials } from "@grpc/grpc-js";
import type { Clock } from "@grpc-lb/core";
import type { ReloadingCredentials } from "@grpc-lb/operations/tls";
import { bindServer, createServerCredentials, reportGrpcHandshakes } from "@grpc-lb/operations/tls/grpc";
import { listenHost } from "@grpc-lb/program";
import { serverOptions } from "@grpc-lb/xds/server";
import { HealthImplementation } from "grpc-health-check";

/** A service of xDS: it adds itself to a server that has not started, and ends its streams when it is closed. */
export interface XdsService {
  addTo(server: Server): void;
  /** Ends all streams with UNAVAILABLE, so that clients go to another control plane, and refuses new ones. Default: it has none. */
  close?(): void;
}

/** Where and what the control plane serves. */
export interface ListenOptions {
  readonly host: string;
  readonly port: number;
  readonly services: readonly XdsService[];
  /** Default: without TLS. */
  readonly tls?: ReloadingCredentials | undefined;
  readonly clock: Clock;
  /** Called with the reason why the handshake of a client failed, of TLS or of HTTP/2, and its address; each reason once a minute. */
  readonly onRefused?: ((reason: string, peer: string) => void) | undefined;
}

/** A control plane that listens. */
export interface Listening {
  readonly port: number;
  /**
   * Sets the health to NOT_SERVING, serves for `delayMs` more, and then ends: GOAWAY, the end of all streams, no new connections. Clients keep what they have, and go to another control plane. What is left after `timeoutMs` more is cut.
   */
  drain(delayMs: number, timeoutMs: number): Promise<void>;
}

/** The service names of health v1: the whole server, the two that probes use, and the service itself. */
const healthNames = ["", "liveness", "readiness", "envoy.service.discovery.v3.AggregatedDiscoveryService"] as const;

/** Starts to serve. @throws Error when the address cannot be listened on */
export async function listen({ host, port, services, tls, clock, onRefused }: ListenOptions): Promise<Listening> {
  const server = new Server(serverOptions);
  for (const service of services) service.addTo(server);
  const health = new HealthImplementation();
  for (const name of healthNames) health.setStatus(name, "SERVING");
  health.addToServer(server);
  const credentials = tls ? createServerCredentials(tls) : ServerCredentials.createInsecure();
  const bound = await bindServer(server, { host: listenHost(host), port, credentials }, () => {
    if (onRefused) reportGrpcHandshakes(server, clock, onRefused);
  });
  return {
    port: bound,
    async drain(delayMs, timeoutMs) {
      for (const name of healthNames) if (name !== "liveness") health.setStatus(name, "NOT_SERVING");
      await clock.sleep(delayMs);
      const { promise: closed, resolve } = Promise.withResolvers<void>();
      server.tryShutdown(() => resolve());
      for (const service of services) service.close?.();
      const ended = new AbortController();
      await Promise.race([closed, clock.sleep(timeoutMs, ended.signal)]);
      ended.abort();
      server.forceShutdown(); // streams of health that are watched, and connections that never sent a byte
    },
  };
}
