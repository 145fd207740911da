import { Server, ServerCredentials } from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import { fileDescriptors } from "@grpc-lb/protos/descriptors";
import { type Pod, type PodServiceServer, PodServiceService } from "@grpc-lb/protos/pod/v1";
import { HealthImplementation } from "grpc-health-check";
import { listenHost } from "./listen-host.ts";
import { OpenStreams } from "./open-streams.ts";
import type { Readiness } from "./readiness.ts";

type ReflectedPackage = ConstructorParameters<typeof ReflectionService>[0];

/** A gRPC server that listens. */
export interface GrpcListener {
  readonly port: number;
  /** Sends GOAWAY, ends its own streams and takes no new connection; resolves when the calls under way have ended. */
  close(): Promise<void>;
  /** Cancels what is still open, so that a pending `close` resolves. */
  cut(): void;
}

/** The names that health v1 knows: the server as a whole, what probes ask for, and the service itself. */
export const healthNames = ["", "liveness", "readiness", "pod.v1.PodService"] as const;

/**
 * The gRPC side: PodService, health v1 and reflection (v1 and v1alpha). Every health name but `liveness` turns NOT_SERVING
 * when new calls are not wanted.
 *
 * @param maxConnectionAgeMs after which a connection is told to go away, in milliseconds, +-10 % by grpc-js (gRFC A9); 0 is never
 */
export async function listenGrpc(
  pod: Pod,
  readiness: Readiness,
  options: { readonly host: string; readonly port: number; readonly maxConnectionAgeMs: number },
): Promise<GrpcListener> {
  const { maxConnectionAgeMs } = options;
  const server = new Server(maxConnectionAgeMs > 0 ? { "grpc.max_connection_age_ms": maxConnectionAgeMs } : {});
  const service: PodServiceServer = { getPod: (_call, respond) => respond(null, { pod }) };
  server.addService(PodServiceService, service);

  const streams = new OpenStreams(server);
  const health = new HealthImplementation(Object.fromEntries(healthNames.map((name) => [name, "SERVING"])));
  health.addToServer(streams);
  readiness.onUnready(() => {
    for (const name of healthNames) if (name !== "liveness") health.setStatus(name, "NOT_SERVING");
  });
  // Descriptors as buf made them: those that proto-loader gives have map entries that grpcurl refuses.
  const reflected = { files: { fileDescriptorProtos: [...fileDescriptors] } } as unknown as ReflectedPackage;
  new ReflectionService(reflected).addToServer(streams);

  const port = await bind(server, listenHost(options.host), options.port);
  const closed = Promise.withResolvers<void>();
  return {
    port,
    close() {
      server.tryShutdown((error) => (error ? closed.reject(error) : closed.resolve()));
      streams.end();
      return closed.promise;
    },
    cut() {
      server.forceShutdown();
      // grpc-js does not call tryShutdown back for a connection that never sent a byte, so cutting is the end by itself.
      closed.resolve();
    },
  };
}

function bind(server: Server, host: string, port: number): Promise<number> {
  const address = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(new Error(reasonOf(error), { cause: error })) : resolve(bound),
    );
  });
}

/** grpc-js says "No address added out of total 1 resolved errors: [listen EADDRINUSE: …]"; what counts is in the brackets. */
function reasonOf(error: Error): string {
  return /errors: \[(.*)\]$/.exec(error.message)?.[1] ?? error.message;
}
