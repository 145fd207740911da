import { type ChannelOptions, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import type { Caller } from "@grpc-lb/program";
import { type GetPodResponse, PodServiceClient } from "@grpc-lb/protos/pod/v1";
import { hashKeyHeader } from "./policy-flag.ts";

/** A pod name is a DNS label or subdomain: at most 253 characters, in one line. */
const podName = /^\S{1,253}$/;

/** What the one channel of the client is made with. */
export interface PodCallerOptions {
  /** Anything that grpc-js takes: `host:port`, `dns:///host:port`, `ipv4:a:1,b:2`, `unix:///path`, … */
  readonly target: string;
  /** How long a call may take, in milliseconds. */
  readonly timeoutMs: number;
  /** What hash policies choose by; empty for none. */
  readonly hashKey?: string;
  /** A service config that passed `parseServiceConfig`; absent, grpc-js's own: pick_first. */
  readonly serviceConfig: Readonly<Record<string, unknown>> | undefined;
}

/**
 * Opens the one channel that the client keeps for its life (that is the lesson: through a Service, one channel is one
 * connection is one pod) and asks over it for the pod's name. Connecting begins with the first call.
 *
 * @throws Error when grpc-js refuses the target or the service config; a failed call rejects with an Error that names
 * method, target and status
 */
export function openPodCaller(options: PodCallerOptions): Caller {
  const client = new PodServiceClient(options.target, credentials.createInsecure(), channelOptions(options));
  const call = () =>
    new Promise<string>((resolve, reject) => {
      const deadline = Date.now() + options.timeoutMs;
      const metadata = new Metadata();
      if (options.hashKey) metadata.set(hashKeyHeader, options.hashKey);
      client.getPod({}, metadata, { deadline }, (error: ServiceError | null, response?: GetPodResponse) => {
        const name = response?.pod?.name ?? "";
        if (error) reject(describe(error, options.target));
        else if (podName.test(name)) resolve(name);
        else
          reject(
            new Error(`GetPod ${options.target}: the answer is no pod name: ${JSON.stringify(name.slice(0, 80))}`),
          );
      });
    });
  return { call, close: () => client.close() };
}

function channelOptions({ serviceConfig }: PodCallerOptions): ChannelOptions {
  return {
    // A peer that is gone without a word is noticed within half a minute, not when TCP gives up.
    "grpc.keepalive_time_ms": 20_000,
    "grpc.keepalive_timeout_ms": 10_000,
    // A workshop should not wait two minutes, grpc-js's limit, for a server that is back.
    "grpc.max_reconnect_backoff_ms": 5_000,
    // The targets are inside the cluster or on this machine; a proxy from the environment would also replace the resolver.
    "grpc.enable_http_proxy": 0,
    ...(serviceConfig && {
      "grpc.service_config": JSON.stringify(serviceConfig),
      // What the user chose must not be overruled by a TXT record: a resolver's service config beats the channel's.
      "grpc.service_config_disable_resolution": 1,
    }),
  };
}

function describe(error: ServiceError, target: string): Error {
  // grpc-js ends some details with a note that is mostly empty.
  const details = error.details.replace(/\s*Resolution note:\s*$/, "");
  return new Error(`GetPod ${target}: ${status[error.code]}: ${details}`, { cause: error });
}
