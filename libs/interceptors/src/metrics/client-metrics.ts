import type { Interceptor, InterceptorOptions, Metadata } from "@grpc/grpc-js";
import { checkOptions, type OptionRules } from "@grpc-lb/core";
import type { Meter } from "@opentelemetry/api";
import { type AttemptListener, observeAttempts } from "../attempts/observe-attempts.ts";
import { WatchedClientCall } from "../call/client-call.ts";
import { createStartCounter, MethodSeries, methodName } from "./attributes.ts";
import { latency, size } from "./instruments.ts";

/** How the calls of clients are measured. */
export interface ClientMetricsOptions {
  /** Creates the instruments; `meterProvider.getMeter("@grpc-lb/interceptors")`. As gRFC A66 wants it, there is no global default. */
  readonly meter: Meter;
  /**
   * The value of the attribute `grpc.target` for a channel's target, called for each call. Each value has time series of its own, which stay:
   * where targets are addresses, `() => "other"` keeps their number small. Default: the target.
   */
  readonly target?: ((target: string) => string) | undefined;
  /** Whether the sizes of messages are recorded, which is a third of the cost. Default: true. */
  readonly messageSizes?: boolean | undefined;
}

const rules: OptionRules = { meter: "object", target: "function", messageSizes: "boolean" };

/**
 * Creates a client interceptor with the metrics of gRFC A66, as gRPC has them in other languages: `grpc.client.call.duration`, and for each
 * attempt `grpc.client.attempt.started`, `.duration`, `.sent_total_compressed_message_size` and `.rcvd_total_compressed_message_size`.
 *
 * Differences: sizes are those before compression, which grpc-js has off by default; and an attempt for which no connection could be
 * picked counts only if it was the call's first one.
 *
 * @throws TypeError for options of another type or name
 */
export function createClientMetrics(options: ClientMetricsOptions): Interceptor {
  checkOptions("createClientMetrics", options, rules, ["meter"]);
  const { meter, target = (name: string) => name, messageSizes = true } = options;
  const addSeries = createStartCounter(
    meter,
    "grpc.client.attempt.started",
    "RPC attempts started, with those that have not completed",
    "{attempt}",
  );
  const seriesOf = createSeries(target, addSeries);
  const duration = meter.createHistogram("grpc.client.attempt.duration", latency("Time to complete an RPC attempt"));
  const sent = meter.createHistogram(
    "grpc.client.attempt.sent_total_compressed_message_size",
    size("Bytes of all request messages of an RPC attempt"),
  );
  const received = meter.createHistogram(
    "grpc.client.attempt.rcvd_total_compressed_message_size",
    size("Bytes of all response messages of an RPC attempt"),
  );
  const callDuration = meter.createHistogram(
    "grpc.client.call.duration",
    latency("Time to complete an RPC from the application's perspective"),
  );
  return (callOptions, nextCall) => {
    const startedMs = performance.now();
    const sizes = messageSizes ? measureMessages(callOptions) : undefined;
    let series: MethodSeries | undefined;
    const listener: AttemptListener = {
      onStart: () => {
        if (series) series.starts += 1;
      },
      onEnd: (attempt, code) => {
        const ended = series?.ended(code);
        duration.record(((attempt.endedMs ?? 0) - attempt.startedMs) / 1_000, ended);
        if (!sizes) return;
        sent.record(attempt.isSent ? sizes.sent : 0, ended);
        received.record(sizes.received, ended);
      },
    };
    const { observed, options } = observeAttempts(callOptions, listener);
    const next = nextCall(options);
    return new WatchedClientCall(next, {
      onStart: (_metadata: Metadata) => {
        series = seriesOf(next.getPeer(), callOptions.method_definition.path); // of a call that has not started: its target
        observed.start(listener);
      },
      onEnd: ({ code }) => {
        observed.end(code);
        callDuration.record((performance.now() - startedMs) / 1_000, series?.ended(code));
      },
    });
  };
}

function createSeries(
  target: (name: string) => string,
  add: (series: MethodSeries) => void,
): (channel: string, path: string) => MethodSeries {
  const byTarget = new Map<string, Map<string, MethodSeries>>();
  return (channel, path) => {
    const name = target(channel);
    let byPath = byTarget.get(name);
    if (!byPath) {
      byPath = new Map();
      byTarget.set(name, byPath);
    }
    let series = byPath.get(path);
    if (!series) {
      series = new MethodSeries({ "grpc.method": methodName(path), "grpc.target": name });
      byPath.set(path, series);
      add(series);
    }
    return series;
  };
}

/** Counts the bytes of a call's messages: grpc-js creates a method definition for each call, and serializes with it. */
function measureMessages({ method_definition: method }: InterceptorOptions): { sent: number; received: number } {
  const sizes = { sent: 0, received: 0 };
  const { requestSerialize, responseDeserialize } = method;
  method.requestSerialize = (message) => {
    const bytes = requestSerialize(message);
    sizes.sent += bytes.length;
    return bytes;
  };
  method.responseDeserialize = (bytes) => {
    sizes.received += bytes.length;
    return responseDeserialize(bytes);
  };
  return sizes;
}
