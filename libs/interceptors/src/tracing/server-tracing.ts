import { type Metadata, type ServerInterceptor, status } from "@grpc/grpc-js";
import { checkOptions, type OptionRules } from "@grpc-lb/core";
import {
  type Context,
  context,
  propagation,
  type Span,
  SpanKind,
  type TextMapGetter,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import { isInfrastructure } from "../call/infrastructure.ts";
import { WatchedServerCall } from "../call/server-call.ts";
import { methodAttributes, peerAttributes, serverErrors, setStatus } from "./attributes.ts";

/** How the calls of a server are traced. */
export interface ServerTracingOptions {
  /** Creates the spans. Default: a tracer of OpenTelemetry's global provider. */
  readonly tracer?: Tracer | undefined;
}

const rules: OptionRules = { tracer: "object" };

const headers: TextMapGetter<Metadata> = {
  keys: (metadata) => Object.keys(metadata.getMap()),
  get: (metadata, key) => metadata.get(key).map(String),
};

/**
 * Creates a server interceptor with a span for each call, whose parent is the client's, and which is active in the handler, so that the
 * spans of its work and of its outgoing calls are its children. Health checks and reflection have none.
 *
 * @throws TypeError for options of another type or name
 */
export function createServerTracing(options: ServerTracingOptions = {}): ServerInterceptor {
  checkOptions("createServerTracing", options, rules);
  const { tracer = trace.getTracer("@grpc-lb/interceptors") } = options;
  return (method, call) => {
    const { path } = method;
    if (isInfrastructure(path)) return new WatchedServerCall(method, call, {});
    let active: { readonly span: Span; readonly context: Context } | undefined;
    return new WatchedServerCall(method, call, {
      onStart: (metadata) => {
        const parent = propagation.extract(context.active(), metadata, headers);
        const attributes = { ...methodAttributes(path), ...peerAttributes(call.getPeer()) };
        const span = tracer.startSpan(path.slice(1), { kind: SpanKind.SERVER, attributes }, parent);
        active = { span, context: trace.setSpan(parent, span) };
        return undefined;
      },
      run: (enter) => (active ? context.with(active.context, enter) : enter()),
      onEnd: ({ code, details }) => {
        if (!active) return;
        const ended = code ?? status.UNKNOWN;
        setStatus(active.span, ended, serverErrors.has(ended), details ?? "");
        active.span.end();
      },
    });
  };
}
