import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Metadata, type ServerErrorResponse, status } from "@grpc/grpc-js";
import { until } from "@grpc-lb/core/testing";
import { answers, call, type EchoHandlers, kinds, LogRecorder, Rig } from "../../testing/index.ts";
import { createClientLogging, createServerLogging } from "./logging.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";

async function start(t: TestContext, handlers: Partial<EchoHandlers> = {}) {
  const rig = new Rig(t);
  const [server, client] = [new LogRecorder(), new LogRecorder()];
  const address = await rig.serve(handlers, { interceptors: [createServerLogging({ logger: server })] });
  return {
    logs: { server, client },
    address,
    client: rig.client(address, { interceptors: [createClientLogging({ logger: client })] }),
  };
}

for (const kind of kinds) {
  test(`${kind}: one line on each side, with method, code, duration, peer and trace id`, async (t) => {
    const { client, logs, address } = await start(t);
    const metadata = new Metadata();
    metadata.set("traceparent", `00-${traceId}-00f067aa0ba902b7-01`);
    assert.deepEqual((await call(client, kind, { metadata })).messages, answers[kind]);
    for (const [side, log] of Object.entries(logs)) {
      const { level, fields, msg } = log.only;
      const { durationMs, peer, ...rest } = fields;
      assert.equal(level, "info");
      assert.equal(msg, `grpc ${side} call`);
      assert.equal(rest.method?.toString().toLowerCase(), `/grpclb.test.echo/${kind}`);
      assert.deepEqual({ code: rest.code, traceId: rest.traceId }, { code: "OK", traceId });
      assert.ok(Number(durationMs) >= 0);
      if (side === "client") assert.equal(peer, address);
      else assert.match(String(peer), /^127\.0\.0\.1:\d+$/);
    }
  });

  test(`${kind}: a call that the client cancels is logged once as CANCELLED by both`, async (t) => {
    const { client, logs } = await start(t, { [kind]: () => {} });
    const outcome = await call(client, kind, { onStart: (started) => setImmediate(() => started.cancel()) });
    assert.equal(outcome.code, status.CANCELLED);
    assert.equal(logs.client.only.fields.code, "CANCELLED");
    if (logs.server.entries.length > 0) assert.equal(logs.server.only.fields.code, "CANCELLED");
  });

  test(`${kind}: the server's line of a cancelled call has the client's address`, async (t) => {
    const { promise: began, resolve } = Promise.withResolvers<void>();
    const { client, logs } = await start(t, { [kind]: () => resolve() });
    await call(client, kind, { onStart: (started) => void began.then(() => started.cancel()) });
    await until(() => logs.server.entries.length === 1, "the server's line");
    assert.equal(logs.server.only.fields.code, "CANCELLED");
    assert.match(String(logs.server.only.fields.peer), /^127\.0\.0\.1:\d+$/);
  });

  test(`${kind}: a call whose deadline passes is a warning with DEADLINE_EXCEEDED on both sides`, async (t) => {
    const { client, logs } = await start(t, { [kind]: () => {} });
    const metadata = new Metadata();
    metadata.set("grpc-timeout", "50m"); // only the server knows it: a client's own may end the call first, as cancelled
    await call(client, kind, { metadata, options: { deadline: Number.POSITIVE_INFINITY } });
    await until(() => logs.server.entries.length === 1, "the server's line");
    for (const { only } of Object.values(logs)) {
      assert.deepEqual([only.level, only.fields.code], ["warn", "DEADLINE_EXCEEDED"]);
      assert.match(String(only.fields.peer), /^127\.0\.0\.1:\d+$/);
    }
  });
}

for (const [code, level] of [
  [status.INTERNAL, "error"],
  [status.UNKNOWN, "error"],
  [status.UNAVAILABLE, "warn"],
  [status.PERMISSION_DENIED, "warn"],
  [status.NOT_FOUND, "info"],
] as const) {
  test(`${status[code]} is logged at ${level}`, async (t) => {
    const { client, logs } = await start(t, { say: (_call, respond) => respond({ code, details: "why" }) });
    await call(client, "say");
    for (const { only } of Object.values(logs)) {
      assert.deepEqual([only.level, only.fields.code, only.fields.details], [level, status[code], "why"]);
    }
  });
}

test("texts of a peer are cut, and their control characters escaped", async (t) => {
  const details = `one\ntwo\x1b[31m${"x".repeat(10_000)}`;
  const { client, logs } = await start(t, {
    say: (_call, respond) => respond({ code: status.NOT_FOUND, details } as ServerErrorResponse),
  });
  await call(client, "say");
  const logged = String(logs.client.only.fields.details);
  assert.ok(logged.startsWith("one two\\x1b[31mxxx"), logged);
  assert.ok(logged.length < 400);
});

test("neither messages nor metadata are logged", async (t) => {
  const { client, logs } = await start(t);
  const metadata = new Metadata();
  metadata.set("authorization", "Bearer hunter2");
  await call(client, "say", { metadata, messages: ["hunter2"] });
  assert.doesNotMatch(JSON.stringify(logs), /hunter2/);
});

test("a traceparent that is not valid gives no trace id", async (t) => {
  const { client, logs } = await start(t);
  for (const text of ["x", `00-${"0".repeat(32)}-00f067aa0ba902b7-01`, `ff-${traceId}-00f067aa0ba902b7-01`]) {
    const metadata = new Metadata();
    metadata.set("traceparent", text);
    await call(client, "say", { metadata });
  }
  assert.deepEqual(
    logs.server.entries.map(({ fields }) => fields.traceId),
    [undefined, undefined, undefined],
  );
});

test("level chooses the level, and silent logs nothing", async (t) => {
  const rig = new Rig(t);
  const log = new LogRecorder();
  const level = (_code: status, method: string) => (method.endsWith("Say") ? "silent" : "debug");
  const address = await rig.serve({}, { interceptors: [createServerLogging({ logger: log, level })] });
  const client = rig.client(address);
  await call(client, "say");
  await call(client, "list");
  assert.equal(log.only.level, "debug");
});

test("a logger is required", () => {
  assert.throws(
    () => createClientLogging({} as never),
    /createClientLogging: logger must have the functions debug, info, warn, error, got nothing/,
  );
});
