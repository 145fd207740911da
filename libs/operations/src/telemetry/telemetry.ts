import { checkOptions, type OptionRules } from "@grpc-lb/core";
import { refuseFlags } from "@grpc-lb/program";
import type { Meter, Tracer } from "@opentelemetry/api";
import type { FastifyInstance } from "fastify";
import type { AdminRoutes } from "../admin/routes.ts";
import { describeResource, type PodIdentity } from "./resource.ts";

/** What a program measures and traces. */
export interface TelemetryOptions {
  readonly service: { readonly name: string; readonly version: string };
  /** Whether metrics are kept: a program with an admin port has them scraped there. */
  readonly hasMetrics: boolean;
  /** Where traces go. Default: there are none. */
  readonly otlpEndpoint?: URL | undefined;
  /** Which share of the traces that begin here is recorded, 0 to 1. Default: 1. */
  readonly traceSampling?: number | undefined;
  /** Receives a line when the collector fails, and when it takes spans again. */
  readonly report: (line: string) => void;
  /** What the program knows of its pod, empty for unknown. Default: what the variables of the Downward API say. */
  readonly pod?: PodIdentity | undefined;
}

/** A request as metrics and spans name it. */
export interface ObservedRequest {
  readonly method: "GET";
  /** Its query, user and password, which may be secrets, are in no metric and no span. */
  readonly url: URL;
}

/** What an observed request sends and says. */
export interface Exchange {
  /** To be sent with the request: `traceparent`. Empty without traces. */
  readonly headers: Readonly<Record<string, string>>;
  /** To be called with the status of the answer. */
  answered(status: number): void;
}

/** Observes requests. */
export type ObserveRequest = <T>(request: ObservedRequest, send: (exchange: Exchange) => Promise<T>) => Promise<T>;

/** What a process records with. */
export interface Instruments {
  /** Undefined without metrics. */
  readonly meter: Meter | undefined;
  /** Undefined without traces. */
  readonly tracer: Tracer | undefined;
}

/** The telemetry of a process, until it is closed. */
export interface Telemetry extends Instruments {
  /** `GET /metrics`, for the admin server. */
  readonly routes: readonly AdminRoutes[];
  /**
   * Measures and traces the requests of a fastify server, by OpenTelemetry's conventions for HTTP; to be called before its routes are added.
   * No effect without metrics and traces.
   *
   * @param isServing whether requests that begin now are observed: those of a warm-up are not of clients. Default: always
   */
  instrument(app: FastifyInstance, isServing?: () => boolean): void;
  /** Measures and traces requests of an HTTP client. Only sends them without metrics and traces. */
  readonly observeRequest: ObserveRequest;
  /** The trace and span that are active now, for logs; undefined without one. */
  activeTrace(): { readonly traceId: string; readonly spanId: string } | undefined;
  /** Exports what waits, for at most two seconds, and ends telemetry. */
  close(): Promise<void>;
}

/** Only sends a request. */
export const onlySend: ObserveRequest = (_request, send) => send({ headers: {}, answered: () => {} });

const rules: OptionRules = {
  service: "object",
  hasMetrics: "boolean",
  otlpEndpoint: (value) => (value instanceof URL ? undefined : "must be a URL object: new URL(…)"),
  traceSampling: (value) =>
    typeof value === "number" && value >= 0 && value <= 1 ? undefined : "must be a number from 0 to 1",
  report: "function",
  pod: "object",
};

/**
 * Starts the metrics and traces that a program was asked for; to be called once in a process, before its servers and clients are made.
 * OpenTelemetry's SDK is loaded here, and only for what is asked for.
 *
 * @throws TypeError for options of another type or name; ProgramError with exit code 2 for a sampling of traces that go nowhere
 */
export async function startTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  checkOptions("startTelemetry", options, rules, ["service", "hasMetrics", "report"]);
  const { service, hasMetrics, otlpEndpoint: endpoint, traceSampling, report } = options;
  if (!endpoint && traceSampling !== undefined) refuseFlags("--trace-sampling has no effect without --otlp-endpoint");
  const sampling = traceSampling ?? 1;
  if (!hasMetrics && !endpoint) {
    const nothing = { meter: undefined, tracer: undefined, routes: [], observeRequest: onlySend };
    return { ...nothing, instrument: () => {}, activeTrace: () => undefined, close: async () => {} };
  }
  const resource = describeResource(service, process.env, options.pod);
  const { createRequestObserver, instrumentHttpServer, loadMetrics, loadTraces } = await import("./on-demand.ts");
  const metrics = hasMetrics ? (await loadMetrics()).createMetrics(resource) : undefined;
  const traces = endpoint ? (await loadTraces()).startTraces({ endpoint, sampling, resource, report }) : undefined;
  const instruments: Instruments = { meter: metrics?.meter, tracer: traces?.tracer };
  return {
    ...instruments,
    routes: metrics ? [metrics.routes] : [],
    instrument: (app, isServing = () => true) => instrumentHttpServer(app, instruments, isServing),
    observeRequest: createRequestObserver(instruments),
    activeTrace: traces?.active ?? (() => undefined),
    async close() {
      await traces?.close();
      await metrics?.close();
    },
  };
}
