import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Client, credentials, Metadata, type ServiceDefinition, status } from "@grpc/grpc-js";
import { turn, until } from "@grpc-lb/core/testing";
import { PodServiceClient, PodServiceService } from "@grpc-lb/protos/pod/v1";
import { answers, call, type EchoHandlers, kinds, MetricRecorder, Rig } from "../../testing/index.ts";
import { withMessageSizes } from "./message-sizes.ts";
import { createServerMetrics } from "./server-metrics.ts";

async function start(t: TestContext, handlers: Partial<EchoHandlers> = {}) {
  const rig = new Rig(t);
  const recorder = new MetricRecorder();
  const interceptors = [createServerMetrics({ meter: recorder.meter })];
  return { recorder, client: rig.client(await rig.serve(handlers, { interceptors })) };
}

/** A deadline that only the server knows: a client's own may end the call first, as cancelled. */
function late(): Metadata {
  const metadata = new Metadata();
  metadata.set("grpc-timeout", "50m");
  return metadata;
}

async function countsOf(recorder: MetricRecorder) {
  const metrics = await recorder.collect();
  const started = (metrics.get("grpc.server.call.started") ?? []).reduce((sum, { value }) => sum + value, 0);
  const ended = (metrics.get("grpc.server.call.duration") ?? []).map(({ attributes, count }) => [
    attributes["grpc.status"],
    count,
  ]);
  return { started, ended: Object.fromEntries(ended) };
}

for (const kind of kinds) {
  test(`${kind}: a call is started once and ends with its method and status`, async (t) => {
    const { client, recorder } = await start(t);
    assert.deepEqual((await call(client, kind)).messages, answers[kind]);
    const metrics = await recorder.collect();
    const [started] = metrics.get("grpc.server.call.started") ?? [];
    assert.match(String(started?.attributes["grpc.method"]), /^grpclb\.test\.Echo\/[A-Z]/);
    const [duration] = metrics.get("grpc.server.call.duration") ?? [];
    assert.deepEqual([duration?.attributes["grpc.status"], duration?.count], ["OK", 1]);
    assert.equal(duration?.buckets.length, 41);
  });

  test(`${kind}: cancelled and late calls have their status`, async (t) => {
    let calls = 0;
    const { client, recorder } = await start(t, { [kind]: () => void calls++ });
    await call(client, kind, {
      onStart: (started) => void until(() => calls === 1, "the call").then(() => started.cancel()),
    });
    await call(client, kind, { metadata: late(), options: { deadline: Number.POSITIVE_INFINITY } });
    await until(() => calls === 2, "the second call");
    let counts = await countsOf(recorder);
    for (let turns = 0; Object.keys(counts.ended).length < 2 && turns < 10_000; turns++) {
      await turn();
      counts = await countsOf(recorder);
    }
    assert.deepEqual(counts, { started: 2, ended: { CANCELLED: 1, DEADLINE_EXCEEDED: 1 } });
  });
}

test("the status of a handler's error is counted", async (t) => {
  const { client, recorder } = await start(t, {
    say: (_call, respond) => respond({ code: status.NOT_FOUND, details: "" }),
  });
  await call(client, "say");
  assert.deepEqual(await countsOf(recorder), { started: 1, ended: { NOT_FOUND: 1 } });
});

test("health checks and reflection are counted apart", async (t) => {
  const rig = new Rig(t);
  const recorder = new MetricRecorder();
  const method = (path: string) => ({
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: (text: string) => Buffer.from(text),
    requestDeserialize: String,
    responseSerialize: (text: string) => Buffer.from(text),
    responseDeserialize: String,
  });
  const health = { check: method("/grpc.health.v1.Health/Check") } as unknown as ServiceDefinition;
  const address = await rig.serve(
    {},
    {
      interceptors: [createServerMetrics({ meter: recorder.meter })],
      more: [
        [health, { check: (_call: unknown, respond: (error: null, text: string) => void) => respond(null, "ok") }],
      ],
    },
  );
  const client = new Client(address, credentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1 });
  t.after(() => client.close());
  await new Promise<void>((resolve, reject) =>
    client.makeUnaryRequest(
      "/grpc.health.v1.Health/Check",
      (text: string) => Buffer.from(text),
      String,
      "x",
      (error) => (error ? reject(error) : resolve()),
    ),
  );
  client.close();
  const metrics = await recorder.collect();
  assert.deepEqual(metrics.get("grpc.server.call.started") ?? [], []);
  const [point] = metrics.get("grpc.lb.server.infrastructure.calls") ?? [];
  assert.deepEqual(point?.attributes, { "grpc.method": "grpc.health.v1.Health/Check", "grpc.status": "OK" });
});

test("a service with withMessageSizes has the bytes of its messages, one without has none", async (t) => {
  const rig = new Rig(t);
  for (const [definition, expected] of [
    [PodServiceService, undefined],
    [withMessageSizes(PodServiceService), 1],
  ] as const) {
    const recorder = new MetricRecorder();
    const pod = { name: "a", namespace: "", node: "", zone: "", ip: "", version: "" };
    const { address } = await rig.serveAll(
      { getPod: (_call: unknown, respond: (error: null, answer: object) => void) => respond(null, { pod }) },
      { definition, interceptors: [createServerMetrics({ meter: recorder.meter })] },
    );
    const client = new PodServiceClient(address, credentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1 });
    await new Promise<void>((resolve, reject) => client.getPod({}, (error) => (error ? reject(error) : resolve())));
    client.close();
    const metrics = await recorder.collect();
    const [sent] = metrics.get("grpc.server.call.sent_total_compressed_message_size") ?? [];
    const [received] = metrics.get("grpc.server.call.rcvd_total_compressed_message_size") ?? [];
    assert.equal(sent?.count, expected);
    if (expected) assert.deepEqual([sent?.value, received?.value], [5, 0]);
  }
});
