import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { credentials, Metadata, status } from "@grpc/grpc-js";
import { closedPort, until } from "@grpc-lb/core/testing";
import {
  answers,
  call,
  type EchoHandlers,
  type Kind,
  kinds,
  MetricRecorder,
  Rig,
  retryConfig,
} from "../../testing/index.ts";
import { MethodSeries } from "./attributes.ts";
import { createClientMetrics } from "./client-metrics.ts";

const pathOf = (kind: Kind): string => `grpclb.test.Echo/${kind[0]?.toUpperCase()}${kind.slice(1)}`;

async function start(t: TestContext, handlers: Partial<EchoHandlers> = {}, options: object = {}) {
  const rig = new Rig(t);
  const recorder = new MetricRecorder();
  const address = await rig.serve(handlers);
  const interceptors = [createClientMetrics({ meter: recorder.meter })];
  return { rig, recorder, address, client: rig.client(address, { interceptors, ...options }) };
}

/** What the histograms and the counter of attempts have counted, by status. */
async function attemptsOf(recorder: MetricRecorder) {
  const metrics = await recorder.collect();
  const started = (metrics.get("grpc.client.attempt.started") ?? []).reduce((sum, { value }) => sum + value, 0);
  const ended = Object.fromEntries(
    (metrics.get("grpc.client.attempt.duration") ?? []).map(({ attributes, count }) => [
      attributes["grpc.status"],
      count,
    ]),
  );
  return { started, ended };
}

for (const kind of kinds) {
  test(`${kind}: a call is one attempt, with method, target, status and the bytes of its messages`, async (t) => {
    const { client, recorder, address } = await start(t);
    assert.deepEqual((await call(client, kind, { messages: ["aaa", "bb"] })).code, 0);
    const metrics = await recorder.collect();
    const attributes = { "grpc.method": pathOf(kind), "grpc.target": `dns:${address}` };
    assert.deepEqual(metrics.get("grpc.client.attempt.started")?.[0]?.attributes, attributes);
    const ended = { ...attributes, "grpc.status": "OK" };
    for (const name of ["attempt.duration", "call.duration"]) {
      const [point] = metrics.get(`grpc.client.${name}`) ?? [];
      assert.deepEqual(point?.attributes, ended);
      assert.ok(point.value > 0 && point.value < 20, `${name}: ${point.value} s`);
      assert.equal(point.buckets.length, 41);
    }
    const bytes = (name: string) =>
      metrics.get(`grpc.client.attempt.${name}_total_compressed_message_size`)?.[0]?.value;
    const sent = kind === "say" || kind === "list" ? 3 : 5;
    const received = { say: 3, collect: 6, list: 12, chat: 5 }[kind];
    assert.deepEqual([bytes("sent"), bytes("rcvd")], [sent, received]);
  });

  test(`${kind}: each retry is an attempt with its own status`, async (t) => {
    let calls = 0;
    const failing = (stream: { emit(event: "error", error: object): unknown }, respond?: unknown) => {
      calls += 1;
      const error = { code: calls < 3 ? status.UNAVAILABLE : status.NOT_FOUND, details: "" };
      if (typeof respond === "function") respond(error);
      else stream.emit("error", error);
    };
    const { client, recorder } = await start(t, { [kind]: failing } as Partial<EchoHandlers>, retryConfig);
    assert.equal((await call(client, kind)).code, status.NOT_FOUND);
    assert.deepEqual(await attemptsOf(recorder), { started: 3, ended: { UNAVAILABLE: 2, NOT_FOUND: 1 } });
    const calls_ = await recorder.points("grpc.client.call.duration");
    assert.deepEqual(
      calls_.map(({ attributes, count }) => [attributes["grpc.status"], count]),
      [["NOT_FOUND", 1]],
    );
  });

  test(`${kind}: a cancelled call, and one whose deadline passes, end their attempt with that status`, async (t) => {
    const { client, recorder } = await start(t, { [kind]: () => {} });
    await call(client, kind, { onStart: (started) => setImmediate(() => started.cancel()) });
    await call(client, kind, { options: { deadline: Date.now() + 100 } });
    assert.deepEqual(await attemptsOf(recorder), { started: 2, ended: { CANCELLED: 1, DEADLINE_EXCEEDED: 1 } });
  });
}

test("calls at once do not take each other's attempts", async (t) => {
  const seen = new Map<string, number>();
  const say: EchoHandlers["say"] = ({ request }, respond) => {
    const n = (seen.get(request) ?? 0) + 1;
    seen.set(request, n);
    if (request.startsWith("retry") && n === 1) respond({ code: status.UNAVAILABLE, details: "" });
    else respond(null, request);
  };
  const { client, recorder } = await start(t, { say }, retryConfig);
  const names = Array.from({ length: 40 }, (_, n) => `${n % 4 === 0 ? "retry" : "plain"}-${n}`);
  const outcomes = await Promise.all(names.map((name) => call(client, "say", { messages: [name] })));
  assert.ok(outcomes.every(({ code }) => code === 0));
  assert.deepEqual(await attemptsOf(recorder), { started: 50, ended: { OK: 40, UNAVAILABLE: 10 } });
});

test("each hedge is an attempt, and one that is given up is CANCELLED", async (t) => {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  let calls = 0;
  const say: EchoHandlers["say"] = (_call, respond) => {
    calls += 1;
    if (calls === 3) release();
    void released.then(() => setImmediate(() => respond(null, "x")));
  };
  const hedging = {
    "grpc.service_config": JSON.stringify({
      methodConfig: [
        { name: [{}], hedgingPolicy: { maxAttempts: 3, hedgingDelay: "0.001s", nonFatalStatusCodes: [] } },
      ],
    }),
  };
  const { client, recorder } = await start(t, { say }, hedging);
  assert.equal((await call(client, "say")).code, 0);
  const { started, ended } = await attemptsOf(recorder);
  assert.equal(started, 3);
  assert.ok((ended.OK ?? 0) >= 1, JSON.stringify(ended));
  assert.equal((ended.OK ?? 0) + (ended.CANCELLED ?? 0), 3, JSON.stringify(ended));
});

test("a call that finds no connection is one attempt that is UNAVAILABLE", async (t) => {
  const rig = new Rig(t);
  const recorder = new MetricRecorder();
  const client = rig.client(`127.0.0.1:${await closedPort()}`, {
    interceptors: [createClientMetrics({ meter: recorder.meter })],
  });
  assert.equal((await call(client, "say")).code, status.UNAVAILABLE);
  assert.deepEqual(await attemptsOf(recorder), { started: 1, ended: { UNAVAILABLE: 1 } });
});

test("call credentials of the application go on to work, and their failure ends the attempt", async (t) => {
  let token: unknown;
  const { client, recorder } = await start(t, {
    say: ({ metadata }, respond) => {
      token = metadata.get("authorization")[0];
      respond(null, "");
    },
  });
  const working = credentials.createFromMetadataGenerator((_options, give) => {
    const metadata = new Metadata();
    metadata.set("authorization", "Bearer one");
    give(null, metadata);
  });
  assert.equal((await call(client, "say", { options: { credentials: working } })).code, 0);
  assert.equal(token, "Bearer one");
  const broken = credentials.createFromMetadataGenerator((_options, give) => give(new Error("no token")));
  const { code } = await call(client, "say", { options: { credentials: broken } });
  assert.notEqual(code, 0);
  const { started } = await attemptsOf(recorder);
  assert.equal(started, 2);
});

test("a target can be replaced, and the channels with one replacement are counted together", async (t) => {
  const rig = new Rig(t);
  const recorder = new MetricRecorder();
  const interceptors = [createClientMetrics({ meter: recorder.meter, target: () => "other" })];
  for (const calls of [3, 5]) {
    const client = rig.client(await rig.serve(), { interceptors });
    for (let n = 0; n < calls; n++) await call(client, "say");
  }
  const started = await recorder.points("grpc.client.attempt.started");
  assert.deepEqual(
    started.map(({ attributes, value }) => [attributes["grpc.target"], value]),
    [["other", 8]],
  );
  assert.deepEqual(await attemptsOf(recorder), { started: 8, ended: { OK: 8 } });
});

test("codes that gRPC does not define are UNKNOWN, and take no memory each", async (t) => {
  let code = 16;
  const say: EchoHandlers["say"] = (_call, respond) => {
    code += 1;
    respond({ code, details: "" });
  };
  const { client, recorder } = await start(t, { say });
  for (let n = 0; n < 3; n++) await call(client, "say");
  assert.deepEqual(await attemptsOf(recorder), { started: 3, ended: { UNKNOWN: 3 } });
  const series = new MethodSeries({});
  for (const unknown of [17, 1e9, -1, 1.5, Number.NaN]) assert.equal(series.ended(unknown), series.ended(2));
});

test("sizes of messages can be left out", async (t) => {
  const rig = new Rig(t);
  const recorder = new MetricRecorder();
  const interceptors = [createClientMetrics({ meter: recorder.meter, messageSizes: false })];
  await call(rig.client(await rig.serve(), { interceptors }), "say");
  const names = [...(await recorder.collect()).keys()].filter((name) => name.includes("size"));
  assert.deepEqual(names, []);
  assert.deepEqual(await attemptsOf(recorder), { started: 1, ended: { OK: 1 } });
});

test("two interceptors with metrics count the same", async (t) => {
  const rig = new Rig(t);
  const recorders = [new MetricRecorder(), new MetricRecorder()];
  const interceptors = recorders.map(({ meter }) => createClientMetrics({ meter }));
  const client = rig.client(await rig.serve(), { interceptors, ...retryConfig });
  assert.deepEqual((await call(client, "chat")).messages, answers.chat);
  for (const recorder of recorders) assert.deepEqual(await attemptsOf(recorder), { started: 1, ended: { OK: 1 } });
});

test("a server that goes away ends the attempt as UNAVAILABLE", async (t) => {
  const rig = new Rig(t);
  const recorder = new MetricRecorder();
  let isStarted = false;
  const { address, server } = await rig.serveAll({
    say: () => {},
    collect: () => {},
    list: () => {},
    chat: () => {
      isStarted = true;
    },
  });
  const client = rig.client(address, { interceptors: [createClientMetrics({ meter: recorder.meter })] });
  const outcome = call(client, "chat", { halfClose: false });
  await until(() => isStarted, "the call");
  server.forceShutdown();
  const { code } = await outcome;
  assert.deepEqual(await attemptsOf(recorder), { started: 1, ended: { [status[code] ?? ""]: 1 } });
});
