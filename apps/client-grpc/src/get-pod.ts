import {
  type ChannelCredentials,
  type ClientOptions,
  credentials,
  type Interceptor,
  Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import { messageOf } from "@grpc-lb/core";
import { describeHandshakeFailure } from "@grpc-lb/operations/tls";
import { type Caller, parsePodName } from "@grpc-lb/program";
import { type GetPodResponse, PodServiceClient, PodServiceService } from "@grpc-lb/protos/pod/v1";
import { hashKeyHeader } from "./policy-flag.ts";
import type { ServiceConfigJson } from "./service-config.ts";
import { isProxyless } from "./target.ts";

/** The options of the one channel. */
export interface PodCallerOptions {
  /** Any target of grpc-js: `host:port`, `dns:///host:port`, `ipv4:a:1,b:2`, `unix:///path`, … */
  readonly target: string;
  /** How long a call may take, in milliseconds. */
  readonly timeoutMs: number;
  /** How often to ping a connection with calls in flight, in milliseconds. */
  readonly keepaliveTimeMs: number;
  /** The header that hash policies choose by; empty for none. */
  readonly hashKey?: string;
  /** Observe the calls, and add a token. Default: none. */
  readonly interceptors?: readonly Interceptor[];
  /** Absent, grpc-js's default: pick_first. */
  readonly serviceConfig: ServiceConfigJson | undefined;
  /** Default: without TLS. */
  readonly tls?: ChannelCredentials | undefined;
  /** The name that the server's certificate must have; empty for that of the target. */
  readonly serverName?: string;
}

/**
 * Opens the one channel that the client keeps, and returns what calls over it. Through a Service, one channel is one connection
 * is one pod. Connecting starts with the first call. A failed call rejects with an Error that names method, target and status.
 *
 * @throws Error when the target or the service config is invalid for grpc-js
 */
export function openPodCaller(options: PodCallerOptions): Caller {
  const { target, tls } = options;
  const client = new PodServiceClient(target, tls ?? credentials.createInsecure(), clientOptions(options));
  const call = () =>
    new Promise<string>((resolve, reject) => {
      const deadline = Date.now() + options.timeoutMs;
      const metadata = new Metadata();
      if (options.hashKey) metadata.set(hashKeyHeader, options.hashKey);
      client.getPod({}, metadata, { deadline }, (error: ServiceError | null, response?: GetPodResponse) => {
        try {
          if (error) throw new Error(describe(error, options), { cause: error });
          resolve(parsePodName(response?.pod?.name ?? ""));
        } catch (failure) {
          reject(new Error(`GetPod ${target}: ${messageOf(failure)}`, { cause: error ?? failure }));
        }
      });
    });
  return { call, path: PodServiceService.getPod.path, close: () => client.close() };
}

function clientOptions(options: PodCallerOptions): ClientOptions {
  const { serviceConfig, keepaliveTimeMs, serverName, interceptors = [] } = options;
  return {
    interceptors: [...interceptors],
    ...(serverName && { "grpc.ssl_target_name_override": serverName }),
    // A peer that vanished without closing its connection is noticed by this, and not only when TCP gives up.
    "grpc.keepalive_time_ms": keepaliveTimeMs,
    "grpc.keepalive_timeout_ms": 20_000,
    // grpc-js waits up to two minutes before it connects to a server that is back.
    "grpc.max_reconnect_backoff_ms": 5_000,
    // The targets are inside the cluster or on this machine; a proxy from the environment would also replace the resolver.
    "grpc.enable_http_proxy": 0,
    ...(serviceConfig && {
      "grpc.service_config": JSON.stringify(serviceConfig),
      // A resolver's service config, such as a TXT record, beats the channel's; here the user's choice wins.
      "grpc.service_config_disable_resolution": 1,
    }),
  };
}

/** Far longer than a useful message. A server's message is cut before it is processed. */
const maxDetailsLength = 1_000;

/** grpc-js ends some details with a note that is mostly empty. */
const emptyNote = "Resolution note:";

/** What grpc-js puts before the reason why there is no token. */
const metadataFailure = /^Getting metadata from plugin failed with error: /;

/** grpc-js says no more than this of a connection that ended, or was reset, before the server's first frame. */
const endedEarly = /Last error: (?:Error: )?(?:Failed to connect|read ECONNRESET) \(/;

/** gRPC's own xDS client has no error for a control plane that it cannot reach, or that has not sent all of the name's resources. */
const unanswered = /waiting for name resolution$/;

function describe({ code, details }: ServiceError, { target, tls }: PodCallerOptions): string {
  const failure = describeHandshakeFailure(details);
  if (failure !== undefined) return `${status[code]}: ${failure}`;
  if (endedEarly.test(details)) {
    const why = tls ? "it may refuse the client's certificate" : "it may speak TLS, see --tls, or refuse connections";
    return `${status[code]}: the server closes the connection before it speaks HTTP/2: ${why}`;
  }
  if (isProxyless(target) && unanswered.test(details)) {
    const why =
      "it cannot be reached, speaks TLS, which grpc-js-xds does not, has no service of this name, or still waits for its source";
    return `${status[code]}: the control plane of the bootstrap has not answered for this name: ${why}`;
  }
  const cut = details.replace(metadataFailure, "").slice(0, maxDetailsLength).trimEnd();
  return `${status[code] ?? `status ${code}`}: ${cut.endsWith(emptyNote) ? cut.slice(0, -emptyNote.length).trimEnd() : cut}`;
}
