import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Interceptor, Metadata, type ServerInterceptor, status } from "@grpc/grpc-js";
import { until } from "@grpc-lb/core/testing";
import { BasicTracerProvider } from "@opentelemetry/sdk-trace-base";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { answers, call, echo, kinds, LogRecorder, MetricRecorder, Rig } from "../../testing/index.ts";
import { createServerAuth, type ServerAuthOptions } from "../jwt/index.ts";
import { createClientLogging, createServerLogging } from "../logging/logging.ts";
import { createClientMetrics } from "../metrics/index.ts";
import { withRecovery } from "../recovery/recovery.ts";
import { createClientTracing } from "../tracing/index.ts";

const failing = {
  "throw an error": (): never => {
    throw new Error("a callback failed");
  },
  "return a promise that rejects": (): never => Promise.reject(new Error("a callback failed")) as never,
};

/** An issuer's keys in a file, and a token of its. */
async function issue(t: TestContext) {
  const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
  const folder = mkdtempSync(join(tmpdir(), "grpc-lb-jwks-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "jwks.json");
  writeFileSync(file, JSON.stringify({ keys: [await exportJWK(publicKey)] }));
  const claims = { iss: "issuer", aud: "server", exp: Math.floor(Date.now() / 1_000) + 60 };
  const token = await new SignJWT(claims).setProtectedHeader({ alg: "ES256" }).sign(privateKey);
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${token}`);
  return { metadata, options: { jwks: { file }, issuer: "issuer", audience: "server" } };
}

for (const [what, fail] of Object.entries(failing)) {
  for (const kind of kinds) {
    test(`${kind}: callbacks of a client's interceptors that ${what} change nothing`, async (t) => {
      const rig = new Rig(t);
      const [log, metrics] = [new LogRecorder(), new MetricRecorder()];
      const tracer = new BasicTracerProvider().getTracer("test");
      const interceptors: Interceptor[] = [
        createClientLogging({ logger: log, level: fail, traceId: fail, spanId: fail }),
        createClientLogging({ logger: { debug: fail, info: fail, warn: fail, error: fail } }),
        createClientMetrics({ meter: metrics.meter, target: fail }),
        createClientTracing({ tracer, findEndpoint: fail }),
      ];
      const client = rig.client(await rig.serve(), { interceptors });
      assert.deepEqual(await call(client, kind), { code: 0, details: "", messages: answers[kind] });
      assert.deepEqual([log.only.level, log.only.fields.code], ["info", "OK"]);
      const [duration] = await metrics.points("grpc.client.call.duration");
      assert.equal(duration?.attributes["grpc.target"], "other");
    });

    test(`${kind}: callbacks of a server's logs that ${what} change nothing`, async (t) => {
      const rig = new Rig(t);
      const log = new LogRecorder();
      const interceptors: ServerInterceptor[] = [
        createServerLogging({ logger: log, level: fail, traceId: fail, spanId: fail }),
        createServerLogging({ logger: { debug: fail, info: fail, warn: fail, error: fail } }),
      ];
      const client = rig.client(await rig.serve({}, { interceptors }));
      assert.deepEqual(await call(client, kind), { code: 0, details: "", messages: answers[kind] });
      await until(() => log.entries.length > 0, "the server's line");
      assert.deepEqual([log.only.level, log.only.fields.code], ["info", "OK"]);
    });
  }

  test(`isPublic and onRefused that ${what}: the method needs a token, and a call without one is refused`, async (t) => {
    const rig = new Rig(t);
    const { metadata, options } = await issue(t);
    const auth = createServerAuth({ ...options, isPublic: fail, onRefused: fail });
    const client = rig.client(await rig.serve({}, { interceptors: [auth] }));
    for (const kind of kinds) {
      assert.equal((await call(client, kind)).code, status.UNAUTHENTICATED);
      assert.deepEqual((await call(client, kind, { metadata: metadata.clone() })).messages, answers[kind]);
    }
  });

  for (const name of ["scopes", "authorize"] as const satisfies readonly (keyof ServerAuthOptions)[]) {
    test(`${name} that ${what}: the call is denied`, async (t) => {
      const rig = new Rig(t);
      const { metadata, options } = await issue(t);
      const auth = createServerAuth({ ...options, [name]: fail });
      const client = rig.client(await rig.serve({}, { interceptors: [auth] }));
      const { code, details } = await call(client, "say", { metadata });
      assert.deepEqual([code, details], [status.PERMISSION_DENIED, "the server could not decide"]);
    });
  }

  test(`onProblem that ${what}: calls are refused as without it`, async (t) => {
    const rig = new Rig(t);
    const { metadata, options } = await issue(t);
    const auth = createServerAuth({ ...options, jwks: { file: "/none", onProblem: fail } });
    const client = rig.client(await rig.serve({}, { interceptors: [auth] }));
    assert.equal((await call(client, "say", { metadata })).code, status.UNAVAILABLE);
  });

  test(`a toStatus and a logger of withRecovery that ${what}: the call is INTERNAL`, async (t) => {
    const rig = new Rig(t);
    const logger = { debug: fail, info: fail, warn: fail, error: fail };
    const { address } = await rig.serveAll(withRecovery({ ...echo, say: fail }, { logger, toStatus: fail }));
    const { code, details } = await call(rig.client(address), "say");
    assert.deepEqual([code, details], [status.INTERNAL, "Internal error"]);
  });
}
