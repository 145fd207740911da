import { Server, ServerCredentials, type ServerInterceptor, type ServerUnaryCall, status } from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import { type GrpcServerTelemetry, noGrpcServerTelemetry } from "@grpc-lb/operations/telemetry/grpc";
import type { ReloadingCredentials } from "@grpc-lb/operations/tls";
import { bindServer, createServerCredentials } from "@grpc-lb/operations/tls/grpc";
import { listenHost } from "@grpc-lb/program";
import { fileDescriptors } from "@grpc-lb/protos/descriptors";
import { type Pod, type PodServiceServer, PodServiceService } from "@grpc-lb/protos/pod/v1";
import { HealthImplementation } from "grpc-health-check";
import {
  announceHeaderLimit,
  defaultHttp2Limits,
  enforceLimits,
  type Http2Limits,
  limitOptions,
} from "./http2-limits.ts";
import { OpenStreams } from "./open-streams.ts";
import type { LoadReports } from "./orca.ts";
import type { Readiness } from "./readiness.ts";
import type { Workload } from "./workload.ts";

type ReflectedPackage = ConstructorParameters<typeof ReflectionService>[0];

/** A gRPC server that listens. */
export interface GrpcListener {
  readonly port: number;
  /** Sends GOAWAY, ends its own streams and accepts no new connection; resolves when the calls in progress have ended. */
  close(): Promise<void>;
  /** Cancels the calls in progress, so that a pending `close` resolves. */
  cut(): void;
}

/** The service names of health v1: the whole server, the two that probes use, and the service itself. */
export const healthNames = ["", "liveness", "readiness", "pod.v1.PodService"] as const;

/** The services that reflection lists. */
const services = ["pod.v1.PodService", "grpc.health.v1.Health"];
const orcaService = "xds.service.orca.v3.OpenRcaService";

/** Where the gRPC server listens, and what it sends. */
export interface GrpcOptions {
  readonly host: string;
  readonly port: number;
  /** The age at which a connection gets a GOAWAY, in milliseconds, ±10 % by grpc-js (gRFC A9); 0 means never. */
  readonly maxConnectionAgeMs: number;
  /** Observes the calls. Default: nothing does. */
  readonly telemetry?: GrpcServerTelemetry;
  /** Log the calls. Default: none. */
  readonly accessLog?: readonly ServerInterceptor[];
  /** Sent with each answer and by OpenRcaService; undefined for neither. */
  readonly loadReports: LoadReports | undefined;
  /** Default: without TLS. */
  readonly tls?: ReloadingCredentials | undefined;
  /** Run before the handlers, in this order, after those of the telemetry. Default: none. */
  readonly interceptors?: readonly ServerInterceptor[];
  /** Whether new connections are reset now. Default: never. */
  readonly refuses?: (() => boolean) | undefined;
  /** Called with the reason why the TLS handshake of a client failed, and its address. */
  readonly onRefused?: ((reason: string, peer: string) => void) | undefined;
  /** Default: `defaultHttp2Limits`. */
  readonly limits?: Http2Limits;
}

/**
 * Starts the gRPC server: PodService, whose calls go through `workload`, health v1, reflection (v1 and v1alpha), and load
 * reports. Every health name but `liveness` is SERVING only while the server is ready.
 *
 * @throws Error when the address cannot be listened on
 */
export async function listenGrpc(
  pod: Pod,
  readiness: Readiness,
  workload: Workload,
  options: GrpcOptions,
): Promise<GrpcListener> {
  const { maxConnectionAgeMs, loadReports, tls, limits = defaultHttp2Limits } = options;
  const { telemetry = noGrpcServerTelemetry, accessLog = [], interceptors = [] } = options;
  const server = new Server({
    ...limitOptions(limits),
    // From the outermost: a line of the log has its trace, and shows what was refused.
    interceptors: [...telemetry.interceptors, ...accessLog, ...interceptors],
    ...(maxConnectionAgeMs > 0 && { "grpc.max_connection_age_ms": maxConnectionAgeMs }),
  });
  announceHeaderLimit(server, limits);
  const failure = { code: status.UNAVAILABLE, details: `${pod.name} fails by --error-rate` };
  const service: PodServiceServer = {
    async getPod(call, respond) {
      const outcome = await workload.serve(() => goneSignal(call));
      if (outcome === "answered") respond(null, { pod }, loadReports?.trailer());
      else if (outcome === "failed") respond(failure, null, loadReports?.trailer());
    },
  };
  server.addService(telemetry.measured(PodServiceService), service);

  const streams = new OpenStreams(server);
  loadReports?.addToServer(streams);
  const health = new HealthImplementation();
  const setHealth = () => {
    for (const name of healthNames) {
      const isServing = name === "liveness" || readiness.state === "ready";
      health.setStatus(name, isServing ? "SERVING" : "NOT_SERVING");
    }
  };
  setHealth();
  readiness.onChange(setHealth);
  health.addToServer(streams);
  // The descriptors come from buf: those of proto-loader have map entries that grpcurl rejects.
  const reflected = { files: { fileDescriptorProtos: [...fileDescriptors] } } as unknown as ReflectedPackage;
  new ReflectionService(reflected, { services: loadReports ? [...services, orcaService] : services }).addToServer(
    streams,
  );

  const credentials = tls ? createServerCredentials(tls) : ServerCredentials.createInsecure();
  const port = await bindServer(server, { host: listenHost(options.host), port: options.port, credentials }, () =>
    enforceLimits(server, limits, options),
  );
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
      // grpc-js does not call back tryShutdown for a connection that never sent a byte.
      closed.resolve();
    },
  };
}

/** Aborted when the call has ended before its answer: its client cancelled it or is gone, or its deadline has passed. */
function goneSignal(call: ServerUnaryCall<unknown, unknown>): AbortSignal {
  const gone = new AbortController();
  call.once("cancelled", () => gone.abort()); // grpc-js emits it after an answer too, when nothing listens any more
  return gone.signal;
}
