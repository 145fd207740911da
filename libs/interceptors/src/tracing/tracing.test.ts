import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { credentials, Metadata, status } from "@grpc/grpc-js";
import { until } from "@grpc-lb/core/testing";
import { type Attributes, context, propagation, type Span, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from "@opentelemetry/core";
import {
  AlwaysOffSampler,
  BasicTracerProvider,
  type ReadableSpan,
  type Sampler,
  SamplingDecision,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import {
  answers,
  call,
  type EchoHandlers,
  type Kind,
  kinds,
  LogRecorder,
  MetricRecorder,
  Rig,
  retryConfig,
  SpanRecorder,
} from "../../testing/index.ts";
import { createClientLogging, createServerLogging } from "../logging/logging.ts";
import { createClientMetrics } from "../metrics/client-metrics.ts";
import { activeSpanId, activeTraceId } from "./active-trace-id.ts";
import { createClientTracing } from "./client-tracing.ts";
import { createServerTracing } from "./server-tracing.ts";

context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
propagation.setGlobalPropagator(
  new CompositePropagator({ propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()] }),
);

interface StartOptions {
  readonly handlers?: Partial<EchoHandlers>;
  readonly sampler?: Sampler;
  readonly channel?: object;
  readonly findEndpoint?: Parameters<typeof createClientTracing>[0] extends infer Options
    ? NonNullable<Options>["findEndpoint" & keyof NonNullable<Options>]
    : never;
}

async function start(t: TestContext, { handlers = {}, sampler, channel = {}, findEndpoint }: StartOptions = {}) {
  const rig = new Rig(t);
  const exporter = new SpanRecorder();
  const recorded: ReadableSpan[] = []; // also those that are not sampled, which are not exported
  const provider = new BasicTracerProvider({
    spanProcessors: [
      new SimpleSpanProcessor(exporter),
      { onStart: () => {}, onEnd: (span) => recorded.push(span), forceFlush: async () => {}, shutdown: async () => {} },
    ],
    ...(sampler && { sampler }),
  });
  const tracer = provider.getTracer("test");
  const logs = { client: new LogRecorder(), server: new LogRecorder() };
  const address = await rig.serve(handlers, {
    interceptors: [
      createServerTracing({ tracer }),
      createServerLogging({ logger: logs.server, traceId: activeTraceId, spanId: activeSpanId }),
    ],
  });
  const client = rig.client(address, {
    interceptors: [
      createClientTracing({ tracer, findEndpoint }),
      createClientLogging({ logger: logs.client, traceId: activeTraceId, spanId: activeSpanId }),
    ],
    ...channel,
  });
  const spans = async (count: number): Promise<readonly ReadableSpan[]> => {
    await until(() => exporter.getFinishedSpans().length >= count, `${count} spans`);
    return exporter.getFinishedSpans();
  };
  return { client, spans, exporter, recorded, logs, address, tracer };
}

const kindOf = (spans: readonly ReadableSpan[], kind: SpanKind) => spans.filter((span) => span.kind === kind);
const pathOf = (kind: Kind): string => `grpclb.test.Echo/${kind[0]?.toUpperCase()}${kind.slice(1)}`;

for (const kind of kinds) {
  test(`${kind}: the call's span has the attempt's as child, and that the server's`, async (t) => {
    const { client, spans, logs, address } = await start(t);
    assert.deepEqual((await call(client, kind)).messages, answers[kind]);
    const all = await spans(3);
    const [callSpan, attempt, server] = [SpanKind.CLIENT, SpanKind.INTERNAL, SpanKind.SERVER].map(
      (one) => kindOf(all, one)[0],
    );
    assert.equal(all.length, 3);
    assert.equal(attempt?.parentSpanContext?.spanId, callSpan?.spanContext().spanId);
    assert.equal(server?.parentSpanContext?.spanId, attempt?.spanContext().spanId);
    assert.equal(new Set(all.map((span) => span.spanContext().traceId)).size, 1);
    assert.deepEqual(
      [callSpan?.name, attempt?.name, server?.name],
      [pathOf(kind), `Attempt.${pathOf(kind)}`, pathOf(kind)],
    );
    const [host, port] = address.split(":");
    assert.deepEqual(callSpan?.attributes, {
      "rpc.system.name": "grpc",
      "rpc.method": pathOf(kind),
      "rpc.response.status_code": "OK",
      "server.address": `dns:${address}`,
      "network.peer.address": host,
      "network.peer.port": Number(port),
    });
    assert.equal(attempt?.attributes["previous-rpc-attempts"], 0);
    assert.equal(server?.attributes["rpc.response.status_code"], "OK");
    assert.equal(server?.attributes["network.peer.address"], "127.0.0.1");
    const traceId = callSpan?.spanContext().traceId;
    assert.deepEqual([logs.client.only.fields.traceId, logs.server.only.fields.traceId], [traceId, traceId]);
    const spanIds = [callSpan, server].map((span) => span?.spanContext().spanId);
    assert.deepEqual([logs.client.only.fields.spanId, logs.server.only.fields.spanId], spanIds);
  });

  test(`${kind}: each retry has a span with its status, and the server's span is below the attempt that reached it`, async (t) => {
    let calls = 0;
    const failing = (stream: { emit(event: "error", error: object): unknown }, respond?: unknown) => {
      calls += 1;
      const error = { code: calls === 1 ? status.UNAVAILABLE : status.NOT_FOUND, details: "gone" };
      if (typeof respond === "function") respond(error);
      else stream.emit("error", error);
    };
    const { client, spans } = await start(t, {
      handlers: { [kind]: failing } as Partial<EchoHandlers>,
      channel: retryConfig,
    });
    await call(client, kind);
    const all = await spans(5);
    const attempts = kindOf(all, SpanKind.INTERNAL);
    assert.deepEqual(
      attempts.map(({ attributes }) => [attributes["previous-rpc-attempts"], attributes["rpc.response.status_code"]]),
      [
        [0, "UNAVAILABLE"],
        [1, "NOT_FOUND"],
      ],
    );
    assert.deepEqual(
      kindOf(all, SpanKind.SERVER).map(({ parentSpanContext }) => parentSpanContext?.spanId),
      attempts.map((span) => span.spanContext().spanId),
    );
    const [callSpan] = kindOf(all, SpanKind.CLIENT);
    assert.deepEqual(callSpan?.status, { code: SpanStatusCode.ERROR, message: "gone" });
    const servers = kindOf(all, SpanKind.SERVER).map((span) => span.status.code);
    assert.deepEqual(servers, [SpanStatusCode.ERROR, SpanStatusCode.UNSET], "NOT_FOUND is no failure of a server");
  });

  test(`${kind}: a call that the client cancels ends its spans as CANCELLED`, async (t) => {
    let calls = 0;
    const { client, spans } = await start(t, { handlers: { [kind]: () => void calls++ } });
    await call(client, kind, {
      onStart: (started) => void until(() => calls === 1, "the call").then(() => started.cancel()),
    });
    const codes = (await spans(3)).map(({ attributes }) => attributes["rpc.response.status_code"]);
    assert.deepEqual(codes, ["CANCELLED", "CANCELLED", "CANCELLED"]);
  });
}

test("the server's span is active in the handler, also after an await", async (t) => {
  let seen: Span | undefined;
  const { client, spans } = await start(t, {
    handlers: {
      say: async ({ request }, respond) => {
        await null;
        seen = trace.getActiveSpan();
        respond(null, request);
      },
    },
  });
  await call(client, "say");
  const [server] = kindOf(await spans(3), SpanKind.SERVER);
  assert.equal(seen?.spanContext().spanId, server?.spanContext().spanId);
});

test("the span that is active is the parent of a call's", async (t) => {
  const { client, spans, tracer } = await start(t);
  const parent = tracer.startSpan("work");
  await context.with(trace.setSpan(context.active(), parent), () => call(client, "say"));
  const [callSpan] = kindOf(await spans(3), SpanKind.CLIENT);
  assert.equal(callSpan?.parentSpanContext?.spanId, parent.spanContext().spanId);
});

test("the pod, node and zone of the endpoint are on the spans of the call and its attempt", async (t) => {
  const peers: string[] = [];
  const findEndpoint = (peer: string) => {
    peers.push(peer);
    return { zone: "z1", nodeName: "n1", metadata: { podName: "server-1" } };
  };
  const { client, spans, address } = await start(t, { findEndpoint });
  await call(client, "say");
  const all = await spans(3);
  for (const kind of [SpanKind.CLIENT, SpanKind.INTERNAL]) {
    const { attributes } = kindOf(all, kind)[0] as ReadableSpan;
    assert.deepEqual(
      ["k8s.pod.name", "k8s.node.name", "cloud.availability_zone"].map((name) => attributes[name]),
      ["server-1", "n1", "z1"],
    );
  }
  assert.deepEqual(peers, [address]);
});

test("a call that is not sampled has no spans, and the server learns that it is not", async (t) => {
  let header: unknown;
  const { client, exporter } = await start(t, {
    sampler: new AlwaysOffSampler(),
    handlers: {
      say: ({ metadata }, respond) => {
        header = metadata.get("traceparent");
        respond(null, "");
      },
    },
  });
  await call(client, "say");
  assert.match(String(header), /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  assert.deepEqual(exporter.getFinishedSpans(), []);
});

for (const kind of kinds) {
  test(`${kind}: each attempt of a call that is not sampled has one traceparent, and the baggage; logs have its trace`, async (t) => {
    const seen: Metadata[] = [];
    const failing = (
      stream: { metadata: Metadata; emit(event: "error", error: object): unknown },
      respond?: unknown,
    ) => {
      seen.push(stream.metadata);
      const error = { code: seen.length === 1 ? status.UNAVAILABLE : status.NOT_FOUND, details: "" };
      if (typeof respond === "function") respond(error);
      else stream.emit("error", error);
    };
    const { client, exporter, logs } = await start(t, {
      sampler: new AlwaysOffSampler(),
      handlers: { [kind]: failing } as Partial<EchoHandlers>,
      channel: retryConfig,
    });
    const baggage = propagation.createBaggage({ tenant: { value: "one" } });
    const metadata = new Metadata();
    metadata.set("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    await context.with(propagation.setBaggage(context.active(), baggage), () => call(client, kind, { metadata }));
    const { traceId, spanId } = logs.client.only.fields;
    const expected = { traceparent: [`00-${traceId}-${spanId}-00`], baggage: ["tenant=one"] };
    assert.deepEqual(
      seen.map((headers) => ({ traceparent: headers.get("traceparent"), baggage: headers.get("baggage") })),
      [expected, expected],
    );
    assert.deepEqual(exporter.getFinishedSpans(), []);
  });

  test(`${kind}: a span that is recorded and not sampled has its attributes and attempts, and the server learns that it is not`, async (t) => {
    const seen: Metadata[] = [];
    const handler = (
      stream: { metadata: Metadata; emit(event: "error", error: object): unknown },
      respond?: unknown,
    ) => {
      seen.push(stream.metadata);
      const error = { code: status.NOT_FOUND, details: "gone" };
      if (typeof respond === "function") respond(error);
      else stream.emit("error", error);
    };
    const asked: [SpanKind, Attributes][] = [];
    const sampler: Sampler = {
      shouldSample: (_context, _traceId, _name, spanKind, attributes) => {
        asked.push([spanKind, { ...attributes }]);
        return { decision: SamplingDecision.RECORD };
      },
    };
    const { client, recorded, exporter, address } = await start(t, {
      sampler,
      handlers: { [kind]: handler } as Partial<EchoHandlers>,
    });
    await call(client, kind);
    await until(() => recorded.length >= 3, "the spans");
    const started = { "rpc.system.name": "grpc", "rpc.method": pathOf(kind), "server.address": `dns:${address}` };
    assert.deepEqual(asked[0], [SpanKind.CLIENT, started]);
    const ended = { "rpc.response.status_code": "NOT_FOUND", "error.type": "NOT_FOUND" };
    const peer = { "network.peer.address": "127.0.0.1", "network.peer.port": Number(address.split(":")[1]) };
    const [callSpan] = kindOf(recorded, SpanKind.CLIENT);
    const [attempt] = kindOf(recorded, SpanKind.INTERNAL);
    assert.deepEqual(callSpan?.attributes, { ...started, ...ended, ...peer });
    assert.deepEqual(callSpan?.status, { code: SpanStatusCode.ERROR, message: "gone" });
    assert.equal(attempt?.parentSpanContext?.spanId, callSpan?.spanContext().spanId);
    const { traceId, spanId } = attempt?.spanContext() ?? {};
    assert.deepEqual(
      seen.map((headers) => headers.get("traceparent")),
      [[`00-${traceId}-${spanId}-00`]],
    );
    assert.deepEqual(exporter.getFinishedSpans(), []);
  });
}

test("credentials, and the messages of a stream, have the trace of a call that is not sampled", async (t) => {
  const rig = new Rig(t);
  const tracer = new BasicTracerProvider({ sampler: new AlwaysOffSampler() }).getTracer("test");
  const sent: string[] = [];
  const noteTrace = ({ metadata }: { metadata: Metadata }) =>
    sent.push(String(metadata.get("traceparent")).split("-")[1] ?? "");
  const address = await rig.serve({
    say: (incoming, respond) => {
      noteTrace(incoming);
      respond(null, "");
    },
    list: (incoming) => {
      noteTrace(incoming);
      incoming.write("a");
      incoming.end();
    },
  });
  const client = rig.client(address, { interceptors: [createClientTracing({ tracer })] });
  const found: (string | undefined)[] = [];
  const always = new Metadata();
  const own = credentials.createFromMetadataGenerator((_options, give) => {
    found.push(activeTraceId());
    give(null, always);
  });
  await call(client, "say", { options: { credentials: own } });
  await call(client, "say", { options: { credentials: own } });
  const { promise, resolve } = Promise.withResolvers<void>();
  client
    .list("x")
    .on("data", () => found.push(activeTraceId()))
    .on("end", resolve);
  await promise;
  assert.deepEqual(found, sent);
  assert.equal(new Set(sent).size, 3);
  assert.deepEqual(always.getMap(), {}, "what credentials give stays as it is");
});

test("with metrics, in either order, each attempt is counted and has its span", async (t) => {
  const rig = new Rig(t);
  const exporter = new SpanRecorder();
  const tracer = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).getTracer("test");
  let calls = 0;
  const address = await rig.serve({
    say: ({ request }, respond) => {
      calls += 1;
      respond(calls % 2 === 1 ? { code: status.UNAVAILABLE, details: "" } : null, request);
    },
  });
  const recorder = new MetricRecorder();
  const interceptors = [createClientTracing({ tracer }), createClientMetrics({ meter: recorder.meter })];
  for (const ordered of [interceptors, interceptors.toReversed()]) {
    await call(rig.client(address, { interceptors: ordered, ...retryConfig }), "say");
  }
  const [started] = await recorder.points("grpc.client.attempt.started");
  assert.equal(started?.value, 4);
  assert.equal(kindOf(exporter.getFinishedSpans(), SpanKind.INTERNAL).length, 4);
});

test("a traceparent that the caller has set does not go out beside the attempt's", async (t) => {
  let headers: readonly unknown[] = [];
  const { client } = await start(t, {
    handlers: {
      say: ({ metadata }, respond) => {
        headers = metadata.get("traceparent");
        respond(null, "");
      },
    },
  });
  const metadata = new Metadata();
  metadata.set("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  await call(client, "say", { metadata });
  assert.equal(headers.length, 1);
  assert.doesNotMatch(String(headers[0]), /4bf92f3577/);
});
