/**
 * What the interceptors of a unary call cost by themselves, in microseconds of processor time, without grpc-js and a network below them:
 * `node cost.bench.ts [--json]`. It is steady on a machine where others are at work; the least of some rounds counts.
 */
import { channel } from "node:diagnostics_channel";
import { EventEmitter } from "node:events";
import { CallCredentials, type InterceptingCall, type Interceptor, Metadata, type NextCall } from "@grpc/grpc-js";
import { startTelemetry } from "./telemetry.ts";

const rounds = 5;
const callsPerRound = 30_000;

type Options = Parameters<NextCall>[0];
type Listener = NonNullable<Parameters<InterceptingCall["start"]>[1]>;

const streams = channel("http2.client.stream.created");
const none = CallCredentials.createEmpty();
const answer = Buffer.alloc(5);

/** Does what grpc-js does with credentials, a stream and messages, and answers at once. */
function answerCall(options: Options, metadata: Metadata, listener: Listener, onEnd: () => void): void {
  const { credentials = none, method_definition: method } = options;
  const send = (added: Metadata): void => {
    metadata.clone().merge(added);
    const stream = new EventEmitter();
    if (streams.hasSubscribers) streams.publish({ stream, headers: {} });
    method.requestSerialize({});
    stream.emit("response", {});
    listener.onReceiveMetadata?.(metadata);
    listener.onReceiveMessage?.(method.responseDeserialize(answer));
    stream.emit("trailers", { "grpc-status": "0" });
    listener.onReceiveStatus?.({ code: 0, details: "", metadata });
    stream.emit("close");
    onEnd();
  };
  void credentials.compose(none).generateMetadata({ method_name: "", service_url: "" }).then(send);
}

function call(interceptors: readonly Interceptor[]): Promise<void> {
  return new Promise((resolve) => {
    const bottom = (options: Options) => ({
      start: (metadata: Metadata, listener: Listener) => answerCall(options, metadata, listener, resolve),
      getPeer: () => "dns:127.0.0.1:50051",
    });
    const next = interceptors.reduceRight<NextCall>(
      (below, interceptor) => (options) => interceptor(options, below),
      bottom as unknown as NextCall,
    );
    const method_definition = {
      path: "/pod.v1.PodService/GetPod",
      requestStream: false,
      responseStream: false,
      requestSerialize: () => answer,
      responseDeserialize: () => ({}),
    } as const;
    next({ method_definition }).start(new Metadata(), {});
  });
}

async function measure(interceptors: readonly Interceptor[]): Promise<number> {
  const began = process.cpuUsage();
  for (let n = 0; n < callsPerRound; n++) await call(interceptors);
  const { user, system } = process.cpuUsage(began);
  return (user + system) / callsPerRound;
}

const telemetry = startTelemetry();
const least = new Map<string, number>();
for (let round = 0; round < rounds; round++) {
  for (const [name, interceptors] of Object.entries({ without: [], ...telemetry.cases })) {
    least.set(name, Math.min(least.get(name) ?? Number.POSITIVE_INFINITY, await measure(interceptors)));
    telemetry.reset();
  }
}
await telemetry.close();
const base = least.get("without") ?? 0;
const costs = Object.fromEntries(
  [...least].filter(([name]) => name !== "without").map(([name, us]) => [name, Number((us - base).toFixed(2))]),
);
if (process.argv.includes("--json")) process.stdout.write(`${JSON.stringify(costs)}\n`);
else for (const [name, us] of Object.entries(costs)) process.stdout.write(`${name}: ${us} µs a call\n`);
