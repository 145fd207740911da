import type { Interceptor, InterceptorOptions, StatusObject, status } from "@grpc/grpc-js";
import { checkOptions, type OptionRules } from "@grpc-lb/core";
import type { Histogram, Meter } from "@opentelemetry/api";
import type { Attempt } from "../attempts/attempt.ts";
import { type AttemptListener, type ObservedCall, observeAttempts } from "../attempts/observe-attempts.ts";
import { type ClientCallHooks, type NextClientCall, watchClientCall } from "../call/client-call.ts";
import { guardCallback } from "../call/guard-callback.ts";
import { createStartCounter, MethodSeries, methodName } from "./attributes.ts";
import { latency, size } from "./instruments.ts";

/** How the calls of clients are measured. */
export interface ClientMetricsOptions {
  /** Creates the instruments; `meterProvider.getMeter("@grpc-lb/interceptors")`. As gRFC A66 wants it, there is no global default. */
  readonly meter: Meter;
  /**
   * The value of the attribute `grpc.target` for a channel's target, called for each call. Each value has time series of its own, which stay:
   * where targets are addresses, `() => "other"` keeps their number small. If it throws, the value is `other`. Default: the target.
   */
  readonly target?: ((target: string) => string) | undefined;
  /** Whether the sizes of messages are recorded, which is a tenth of the cost. Default: true. */
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
  const seriesOf = createSeries(
    guardCallback(target, () => "other"),
    addSeries,
  );
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
  const instruments = { duration, sent, received, callDuration };
  return (callOptions, nextCall) => {
    const call = new MeasuredCall(instruments, seriesOf, callOptions.method_definition.path);
    if (messageSizes) call.measureMessages(callOptions);
    const { observed, options } = observeAttempts(callOptions, call);
    const next = nextCall(options);
    call.bind(next, observed);
    return watchClientCall(next, call);
  };
}

interface Instruments {
  readonly duration: Histogram;
  readonly sent: Histogram;
  readonly received: Histogram;
  readonly callDuration: Histogram;
}

type FindSeries = (channel: string, path: string) => MethodSeries;

/** One object a call, without closures. */
class MeasuredCall implements AttemptListener, ClientCallHooks {
  readonly readsContext = false;
  readonly #instruments: Instruments;
  readonly #seriesOf: FindSeries;
  readonly #path: string;
  readonly #startedMs = performance.now();
  #next: NextClientCall | undefined;
  #observed: ObservedCall | undefined;
  #series: MethodSeries | undefined;
  #isSized = false;
  #sentBytes = 0;
  #receivedBytes = 0;

  constructor(instruments: Instruments, seriesOf: FindSeries, path: string) {
    this.#instruments = instruments;
    this.#seriesOf = seriesOf;
    this.#path = path;
  }

  /** Counts the bytes of its messages: grpc-js creates a method definition for each call, and serializes with it. */
  measureMessages({ method_definition: method }: InterceptorOptions): void {
    this.#isSized = true;
    const { requestSerialize, responseDeserialize } = method;
    method.requestSerialize = (message) => {
      const bytes = requestSerialize(message);
      this.#sentBytes += bytes.length;
      return bytes;
    };
    method.responseDeserialize = (bytes) => {
      this.#receivedBytes += bytes.length;
      return responseDeserialize(bytes);
    };
  }

  bind(next: NextClientCall, observed: ObservedCall): void {
    this.#next = next;
    this.#observed = observed;
  }

  onStart(): void {
    if (!this.#next) return;
    this.#series = this.#seriesOf(this.#next.getPeer(), this.#path); // of a call that has not started: its target
    this.#observed?.follow(this);
  }

  onAttemptStart(): void {
    if (this.#series) this.#series.starts += 1;
  }

  onAttemptEnd(attempt: Attempt, code: status): void {
    const { duration, sent, received } = this.#instruments;
    const ended = this.#series?.ended(code);
    duration.record(((attempt.endedMs ?? 0) - attempt.startedMs) / 1_000, ended);
    if (!this.#isSized) return;
    sent.record(attempt.isSent ? this.#sentBytes : 0, ended);
    received.record(this.#receivedBytes, ended);
  }

  onEnd({ code }: StatusObject): void {
    this.#observed?.end(code);
    this.#instruments.callDuration.record((performance.now() - this.#startedMs) / 1_000, this.#series?.ended(code));
  }
}

function createSeries(target: (name: string) => string, add: (series: MethodSeries) => void): FindSeries {
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
