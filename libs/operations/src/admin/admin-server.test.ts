import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { type TestContext, test } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { ProgramError } from "@grpc-lb/program";
import { createAdminServer } from "./admin-server.ts";
import { probeRoutes } from "./probe-routes.ts";
import type { AdminRoutes } from "./routes.ts";

async function start(t: TestContext, ...routes: readonly AdminRoutes[]) {
  const admin = await createAdminServer({ host: "127.0.0.1", port: 0, routes });
  t.after(async () => {
    await admin.close();
    await assertNothingLeft();
  });
  const get = async (path: string) => {
    const answer = await fetch(`http://127.0.0.1:${admin.port}${path}`);
    return { status: answer.status, text: await answer.text(), cache: answer.headers.get("cache-control") };
  };
  return { admin, get };
}

test("the probes answer as the program is, and nothing is cached", async (t) => {
  let reason: string | undefined = "no call has succeeded yet";
  let missing: string | undefined;
  const { get } = await start(t, probeRoutes({ notReady: () => reason, missing: () => missing }));
  const ok = { status: 200, text: "ok", cache: "no-store" };
  assert.deepEqual(await get("/readyz"), { status: 503, text: reason, cache: "no-store" });
  assert.deepEqual(await get("/healthz"), ok);
  reason = undefined;
  assert.deepEqual(await get("/readyz"), ok);
  missing = "the registry";
  assert.deepEqual(await get("/readyz"), { ...ok, text: "ok, without the registry" });
  assert.equal((await get("/unknown")).status, 404);
});

test("a port in use is one line with the flag, the port and the reason", async (t) => {
  const { admin } = await start(t);
  let closed = 0;
  const routes = [{ routes: [], close: () => void closed++ }];
  const second = createAdminServer({ host: "127.0.0.1", port: admin.port, routes });
  await assert.rejects(second, (error) => {
    assert.ok(error instanceof ProgramError);
    assert.equal(error.exitCode, 1);
    assert.match(error.message, new RegExp(`^cannot listen on --admin-port ${admin.port}: listen EADDRINUSE`));
    return true;
  });
  assert.equal(closed, 1, "the routes are closed, too");
});

test("close cuts a request that does not end and a peer that sends nothing", async (t) => {
  const entered = Promise.withResolvers<void>();
  const answer = () => {
    entered.resolve();
    return new Promise<never>(() => {});
  };
  const { admin } = await start(t, { routes: [{ method: "GET", path: "/hang", answer }] });
  const silent = connect(admin.port, "127.0.0.1");
  silent.on("error", () => {});
  await once(silent, "connect");
  const hanging = assert.rejects(fetch(`http://127.0.0.1:${admin.port}/hang`));
  await entered.promise;
  await admin.close();
  await hanging;
  if (!silent.closed) await once(silent, "close");
});
