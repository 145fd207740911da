import { type Interceptor, type Metadata, type StatusObject, status } from "@grpc/grpc-js";
import { checkOptions, type OptionRules } from "@grpc-lb/core";
import {
  type Attributes,
  type Context,
  context,
  propagation,
  type Span,
  SpanKind,
  type SpanOptions,
  type TextMapSetter,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import type { Attempt } from "../attempts/attempt.ts";
import { type AttemptListener, type ObservedCall, observeAttempts } from "../attempts/observe-attempts.ts";
import { type ClientCallHooks, type NextClientCall, readsContext, watchClientCall } from "../call/client-call.ts";
import { guardCallback } from "../call/guard-callback.ts";
import { methodAttributes, peerAttributes, setStatus } from "./attributes.ts";

/** What is known of an endpoint: an `Endpoint` of `@grpc-lb/resolver` is one. */
export interface TracedEndpoint {
  readonly zone?: string | undefined;
  readonly nodeName?: string | undefined;
  /** `podName` is that of its pod. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
}

/** How the calls of clients are traced. */
export interface ClientTracingOptions {
  /** Creates the spans. Default: a tracer of OpenTelemetry's global provider. */
  readonly tracer?: Tracer | undefined;
  /**
   * Finds the endpoint of a connection, by its address, for the pod's name in the spans: `findEndpoint` of what `registerResolvers` of
   * `@grpc-lb/resolver` returns. Default: none.
   */
  readonly findEndpoint?: ((peer: string) => TracedEndpoint | undefined) | undefined;
}

const rules: OptionRules = { tracer: "object", findEndpoint: "function" };

const headers: TextMapSetter<Metadata> = { set: (metadata, key, value) => metadata.set(key, value) };

/**
 * Creates a client interceptor with a span for each call, and in it one for each attempt, with the attributes of OpenTelemetry's
 * conventions for RPC; the server gets the attempt's span as its parent, by OpenTelemetry's propagator (W3C `traceparent` by default).
 * The endpoint is `network.peer.address` and `network.peer.port`, and with `findEndpoint` `k8s.pod.name`, `k8s.node.name` and
 * `cloud.availability_zone`. A call that is not sampled has no spans of attempts.
 *
 * @throws TypeError for options of another type or name
 */
export function createClientTracing(options: ClientTracingOptions = {}): Interceptor {
  checkOptions("createClientTracing", options, rules);
  const { tracer = trace.getTracer("@grpc-lb/interceptors"), findEndpoint = noEndpoint } = options;
  const client = {
    tracer,
    findEndpoint: guardCallback(findEndpoint, noEndpoint),
    describeCall: createDescriptions(),
  };
  return (callOptions, nextCall) => {
    const { path, responseStream } = callOptions.method_definition;
    const call = new TracedCall(client, path);
    const { observed, options, hasCredentials } = observeAttempts(callOptions, call);
    const next = nextCall(options);
    // Credentials and listeners of a stream's messages run in the context of the call; the callback of a single response does not need it.
    const isContextRead = responseStream || hasCredentials || readsContext(next);
    call.bind(next, observed, isContextRead);
    return watchClientCall(next, call);
  };
}

interface TracedClient {
  readonly tracer: Tracer;
  readonly findEndpoint: NonNullable<ClientTracingOptions["findEndpoint"]>;
  readonly describeCall: (path: string, target: string) => CallDescription;
}

/** One object a call, without closures. Only a span that records has attributes after its start, and spans of its attempts. */
class TracedCall implements AttemptListener, ClientCallHooks {
  readonly readsContext = false;
  readonly #client: TracedClient;
  readonly #path: string;
  #next: NextClientCall | undefined;
  #observed: ObservedCall | undefined;
  #isContextRead = true;
  #context: Context | undefined;
  /** Of the call, if it records. */
  #span: Span | undefined;
  #attempts: Map<Attempt, Span> | undefined;

  constructor(client: TracedClient, path: string) {
    this.#client = client;
    this.#path = path;
  }

  /** @param isContextRead whether anything reads the active context of a call that is not recorded */
  bind(next: NextClientCall, observed: ObservedCall, isContextRead: boolean): void {
    this.#next = next;
    this.#observed = observed;
    this.#isContextRead = isContextRead;
  }

  onStart(metadata: Metadata): void {
    if (!this.#next) return;
    const { tracer, describeCall } = this.#client;
    const { name, options } = describeCall(this.#path, this.#next.getPeer()); // of a call that has not started: its target
    const parent = context.active();
    const span = tracer.startSpan(name, options, parent);
    this.#context = trace.setSpan(parent, span);
    removeHeaders(metadata);
    if (!span.isRecording()) return;
    this.#span = span;
    this.#observed?.follow(this);
  }

  run(start: () => void): void {
    if (this.#context && (this.#span || this.#isContextRead)) context.with(this.#context, start);
    else start();
  }

  onAttemptStart(attempt: Attempt): void {
    const attributes: Attributes = { ...methodAttributes(this.#path), "previous-rpc-attempts": attempt.number };
    const span = this.#client.tracer.startSpan(`Attempt.${this.#path.slice(1)}`, { attributes }, this.#context);
    this.#attempts ??= new Map();
    this.#attempts.set(attempt, span);
  }

  addMetadata(attempt: Attempt, metadata: Metadata): void {
    if (!this.#context) return;
    const span = this.#attempts?.get(attempt);
    propagation.inject(span ? trace.setSpan(this.#context, span) : this.#context, metadata, headers);
  }

  onAttemptEnd(attempt: Attempt, code: status): void {
    const span = this.#attempts?.get(attempt);
    if (!span) return;
    const { peer } = attempt;
    const endpoint = peer === undefined ? undefined : this.#client.findEndpoint(peer);
    const attributes = { ...peerAttributes(peer), ...endpointAttributes(endpoint) };
    span.setAttributes(attributes);
    this.#span?.setAttributes(attributes); // of the last one
    setStatus(span, code, code !== status.OK);
    span.end(attempt.endedMs);
  }

  onEnd({ code, details }: StatusObject): void {
    this.#observed?.end(code);
    if (!this.#span) return;
    setStatus(this.#span, code, code !== status.OK, details);
    this.#span.end();
  }
}

/** With what the span of a call starts. */
interface CallDescription {
  readonly name: string;
  readonly options: SpanOptions;
}

/** Those of a method and a target are made once. */
function createDescriptions(): TracedClient["describeCall"] {
  const byTarget = new Map<string, Map<string, CallDescription>>();
  return (path, target) => {
    let byPath = byTarget.get(target);
    if (!byPath) {
      byPath = new Map();
      byTarget.set(target, byPath);
    }
    let description = byPath.get(path);
    if (!description) {
      const attributes = { ...methodAttributes(path), "server.address": target };
      description = { name: path.slice(1), options: { kind: SpanKind.CLIENT, attributes } };
      byPath.set(path, description);
    }
    return description;
  };
}

/** Those of a caller would be there twice: each attempt has its own. */
function removeHeaders(metadata: Metadata): void {
  for (const field of propagation.fields()) metadata.remove(field);
}

const noEndpoint = (): undefined => undefined;

function endpointAttributes(endpoint: TracedEndpoint | undefined): Attributes {
  const podName = endpoint?.metadata?.podName;
  return {
    ...(typeof podName === "string" && { "k8s.pod.name": podName }),
    ...(endpoint?.nodeName !== undefined && { "k8s.node.name": endpoint.nodeName }),
    ...(endpoint?.zone !== undefined && { "cloud.availability_zone": endpoint.zone }),
  };
}
