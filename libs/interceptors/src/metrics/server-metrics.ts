import { type ServerInterceptor, status } from "@grpc/grpc-js";
import { checkOptions, type OptionRules } from "@grpc-lb/core";
import type { Meter } from "@opentelemetry/api";
import { isInfrastructure } from "../call/infrastructure.ts";
import { WatchedServerCall } from "../call/server-call.ts";
import { createStartCounter, MethodSeries, methodName } from "./attributes.ts";
import { latency, size } from "./instruments.ts";
import { sizeOf } from "./message-sizes.ts";

/** How the calls of a server are measured. */
export interface ServerMetricsOptions {
  /** Creates the instruments. */
  readonly meter: Meter;
}

const rules: OptionRules = { meter: "object" };

/**
 * Creates a server interceptor with the metrics of gRFC A66: `grpc.server.call.started`, `.duration`, and with `withMessageSizes`,
 * `.sent_total_compressed_message_size` and `.rcvd_total_compressed_message_size`.
 *
 * Health checks and reflection are not among them, so that rates and latencies are those of the service: they count in
 * `grpc.lb.server.infrastructure.calls`. A call that grpc-js answers itself, because its request cannot be parsed, counts as CANCELLED.
 *
 * @throws TypeError for options of another type or name
 */
export function createServerMetrics(options: ServerMetricsOptions): ServerInterceptor {
  checkOptions("createServerMetrics", options, rules, ["meter"]);
  const { meter } = options;
  const addSeries = createStartCounter(
    meter,
    "grpc.server.call.started",
    "RPCs started, with those that have not completed",
    "{call}",
  );
  const duration = meter.createHistogram("grpc.server.call.duration", latency("Time that an RPC takes on the server"));
  const sent = meter.createHistogram(
    "grpc.server.call.sent_total_compressed_message_size",
    size("Bytes of all response messages of an RPC"),
  );
  const received = meter.createHistogram(
    "grpc.server.call.rcvd_total_compressed_message_size",
    size("Bytes of all request messages of an RPC"),
  );
  const infrastructure = meter.createCounter("grpc.lb.server.infrastructure.calls", {
    description: "Health checks and reflection",
    unit: "{call}",
  });
  const byPath = new Map<string, MethodSeries>();
  return (method, call) => {
    const { path } = method;
    let known = byPath.get(path);
    if (!known) {
      known = new MethodSeries({ "grpc.method": methodName(path) });
      byPath.set(path, known);
      addSeries(known);
    }
    const series = known;
    if (isInfrastructure(path)) {
      return new WatchedServerCall(method, call, {
        onEnd: ({ code }) => infrastructure.add(1, series.ended(code ?? status.UNKNOWN)),
      });
    }
    const startedMs = performance.now();
    const sizes = { sent: 0, received: 0, isMeasured: false };
    const add = (key: "sent" | "received", message: unknown): void => {
      const bytes = sizeOf(message);
      if (bytes === undefined) return;
      sizes.isMeasured = true;
      sizes[key] += bytes;
    };
    return new WatchedServerCall(method, call, {
      onStart: () => {
        series.starts += 1;
        return undefined;
      },
      onReceived: (message) => add("received", message),
      onSent: (message) => add("sent", message),
      onEnd: ({ code }) => {
        const ended = series.ended(code ?? status.UNKNOWN);
        duration.record((performance.now() - startedMs) / 1_000, ended);
        if (!sizes.isMeasured) return;
        sent.record(sizes.sent, ended);
        received.record(sizes.received, ended);
      },
    });
  };
}
