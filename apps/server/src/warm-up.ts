import { get as httpGet } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { get as httpsGet } from "node:https";
import type { ConnectionOptions } from "node:tls";
import { formatHostPort } from "@grpc-lb/core";
import type { Credentials } from "@grpc-lb/operations/tls";

/** Where the server listens, and what else to call there. */
export interface WarmUpOptions {
  /** The address that both ports listen on; empty or a wildcard means loopback. */
  readonly host: string;
  readonly httpPort: number;
  readonly grpcPort: number;
  /** The server's own credentials if both ports speak TLS: where clients need a certificate, it shows this one. */
  readonly tls?: Credentials | undefined;
  /** Whether OpenRcaService is served. */
  readonly hasLoadReports: boolean;
  /** Ends the warm-up early. */
  readonly signal: AbortSignal;
}

const httpPaths = ["/pod", "/", "/healthz", "/readyz"];

/** The methods of the server, each with a request that it answers. */
const grpcRequests: readonly (readonly [path: string, request: Uint8Array])[] = [
  ["/pod.v1.PodService/GetPod", Uint8Array.of()],
  ["/grpc.health.v1.Health/Check", Uint8Array.of()],
  ["/grpc.health.v1.Health/Watch", Uint8Array.of()],
  // ServerReflectionRequest { list_services: "" }
  ["/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", Uint8Array.of(0x3a, 0)],
  ["/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", Uint8Array.of(0x3a, 0)],
];
const loadReportRequest = ["/xds.service.orca.v3.OpenRcaService/StreamCoreMetrics", Uint8Array.of()] as const;

/** The calls of each method: the first compiles its code, the others the paths that only a later call takes. */
const rounds = 3;

/**
 * Calls each method of the server that runs in this process, over its own ports, so that the first call of a client does not
 * wait for code to be loaded and compiled.
 *
 * @throws Error when a call fails, or the reason of `signal`
 */
export async function warmUp(options: WarmUpOptions): Promise<void> {
  const { signal, httpPort, grpcPort } = options;
  const host = loopbackFor(options.host);
  // The server that it calls is itself, whatever the certificate says.
  const tls = options.tls && { cert: options.tls.cert, key: options.tls.key, rejectUnauthorized: false };
  const requests = options.hasLoadReports ? [...grpcRequests, loadReportRequest] : grpcRequests;
  const callHttp = async () => {
    for (const path of httpPaths) await getHttp({ host, port: httpPort, path, signal, tls });
  };
  const origin = `${tls ? "https" : "http"}://${formatHostPort(host, grpcPort)}`;
  const callGrpc = () => callOverHttp2(origin, requests, signal, tls);
  for (let round = 0; round < rounds; round++) await Promise.all([callHttp(), callGrpc()]);
}

/** The address of this machine's own connections to a server that listens on `host`. */
function loopbackFor(host: string): string {
  if (host === "" || host === "0.0.0.0") return "127.0.0.1";
  return host === "::" ? "::1" : host;
}

function getHttp(options: {
  host: string;
  port: number;
  path: string;
  signal: AbortSignal;
  tls: ConnectionOptions | undefined;
}): Promise<void> {
  const { tls, ...request } = options;
  return new Promise((resolve, reject) => {
    (tls ? httpsGet : httpGet)({ ...request, ...tls, agent: false }, (response) => {
      response.on("error", reject).on("close", resolve).resume();
    }).on("error", reject);
  });
}

/**
 * Calls each method once on a new connection and waits for the first bytes of its answer. Not by a gRPC client, as that would
 * cost the server more to load than all of its calls.
 */
async function callOverHttp2(
  origin: string,
  requests: readonly (readonly [path: string, request: Uint8Array])[],
  signal: AbortSignal,
  tls: ConnectionOptions | undefined,
): Promise<void> {
  const session = connectHttp2(origin, tls);
  const abort = () => session.destroy(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    const failed = new Promise<never>((_resolve, reject) => {
      session.once("error", reject);
      if (signal.aborted) reject(signal.reason);
    });
    const answered = requests.map(
      ([path, request]) =>
        new Promise<void>((resolve, reject) => {
          const headers = { ":method": "POST", ":path": path, te: "trailers", "content-type": "application/grpc" };
          const stream = session.request(headers);
          const frame = Buffer.alloc(5 + request.length);
          frame.writeUInt32BE(request.length, 1);
          frame.set(request, 5);
          stream.once("data", () => {
            stream.close();
            resolve();
          });
          stream.once("end", resolve).once("error", reject);
          stream.end(frame);
        }),
    );
    await Promise.race([Promise.all(answered), failed]);
  } finally {
    signal.removeEventListener("abort", abort);
    session.destroy();
  }
}
