import { Server, ServerCredentials, type ServerUnaryCall, status } from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import { fileDescriptors } from "@grpc-lb/protos/descriptors";
import { type Pod, type PodServiceServer, PodServiceService } from "@grpc-lb/protos/pod/v1";
import { HealthImplementation } from "grpc-health-check";
import { listenHost } from "./listen-host.ts";
import { OpenStreams } from "./open-streams.ts";
import type { LoadReports } from "./orca.ts";
import type { Readiness } from "./readiness.ts";
import type { Workload } from "./workload.ts";

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

/** What reflection lists. */
const services = ["pod.v1.PodService", "grpc.health.v1.Health"];
const orcaService = "xds.service.orca.v3.OpenRcaService";

/** How the gRPC side listens, and what it tells. */
export interface GrpcOptions {
  readonly host: string;
  readonly port: number;
  /** When a connection is told to go away, in milliseconds, +-10 % by grpc-js (gRFC A9); 0 is never. */
  readonly maxConnectionAgeMs: number;
  /** What goes out with each answer and over OpenRcaService; without it, neither does. */
  readonly loadReports: LoadReports | undefined;
}

/**
 * The gRPC side: PodService, which takes its calls through `workload`, health v1, reflection (v1 and v1alpha), and load
 * reports. Every health name but `liveness` turns NOT_SERVING when new calls are not wanted.
 */
export async function listenGrpc(
  pod: Pod,
  readiness: Readiness,
  workload: Workload,
  options: GrpcOptions,
): Promise<GrpcListener> {
  const { maxConnectionAgeMs, loadReports } = options;
  const server = new Server(maxConnectionAgeMs > 0 ? { "grpc.max_connection_age_ms": maxConnectionAgeMs } : {});
  const failure = { code: status.UNAVAILABLE, details: `${pod.name} fails by --error-rate` };
  const service: PodServiceServer = {
    async getPod(call, respond) {
      const outcome = await workload.serve(() => goneSignal(call));
      if (outcome === "answered") respond(null, { pod }, loadReports?.trailer());
      else if (outcome === "failed") respond(failure, null, loadReports?.trailer());
    },
  };
  server.addService(PodServiceService, service);

  const streams = new OpenStreams(server);
  loadReports?.addToServer(streams);
  const health = new HealthImplementation(Object.fromEntries(healthNames.map((name) => [name, "SERVING"])));
  health.addToServer(streams);
  readiness.onUnready(() => {
    for (const name of healthNames) if (name !== "liveness") health.setStatus(name, "NOT_SERVING");
  });
  // Descriptors as buf made them: those that proto-loader gives have map entries that grpcurl refuses.
  const reflected = { files: { fileDescriptorProtos: [...fileDescriptors] } } as unknown as ReflectedPackage;
  new ReflectionService(reflected, { services: loadReports ? [...services, orcaService] : services }).addToServer(
    streams,
  );

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

/** Aborted when the call is over before it was answered: its client cancelled it or is gone, or its deadline has passed. */
function goneSignal(call: ServerUnaryCall<unknown, unknown>): AbortSignal {
  const gone = new AbortController();
  call.once("cancelled", () => gone.abort()); // grpc-js says so after an answer too, when nobody listens any more
  return gone.signal;
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
