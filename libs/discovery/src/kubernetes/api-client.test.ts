import assert from "node:assert/strict";
import { getEventListeners, once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, Socket } from "node:net";
import { afterEach, test } from "node:test";
import { assertNothingLeft, ManualClock } from "@grpc-lb/core/testing";
import { FakeApiServer, service } from "../../testing/index.ts";
import type { DiscoveryError } from "../core/discovery-error.ts";
import { type ApiAccess, ApiClient } from "./api-client.ts";
import { readService } from "./reader.ts";

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  await assertNothingLeft();
});

const turn = () => new Promise((resolve) => setImmediate(resolve));
const path = "/api/v1/namespaces/default/services/s";
const what = "get service default/s";

async function start(access?: (api: FakeApiServer) => ApiAccess) {
  const api = await FakeApiServer.start();
  api.putService(service({ name: "s" }));
  const clock = new ManualClock();
  const client = new ApiClient(access?.(api) ?? api.access, clock);
  const controller = new AbortController();
  cleanups.push(
    () => api.close(),
    () => client.close(),
    () => controller.abort(),
  );
  const get = () => client.get({ path, what, signal: controller.signal }, readService);
  return { api, clock, client, controller, get };
}
const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => assert.fail("it did not fail"),
    (error: DiscoveryError) => error,
  );

test("a get returns the object, and the next request uses the same connection", async () => {
  const { api, get, clock, controller } = await start();
  for (let n = 0; n < 5; n++) assert.deepEqual((await get()).ports, [{ name: "grpc", port: 80, protocol: "TCP" }]);
  await turn();
  assert.deepEqual([api.counts.connections, api.counts.get, clock.sleeping], [1, 5, 0]);
  assert.equal(getEventListeners(controller.signal, "abort").length, 0);
});

test("a request that fails with 401 is retried once with new credentials", async () => {
  const afterDenials: boolean[] = [];
  const { api, get } = await start((api) => ({
    server: api.access.server,
    namespace: "default",
    async credentials(afterDenial) {
      afterDenials.push(afterDenial);
      return { headers: { authorization: `Bearer ${afterDenial ? "new" : "old"}` }, tls: {} };
    },
  }));
  api.requireToken("new");
  await get();
  assert.deepEqual(afterDenials, [false, true]);
  api.requireToken("newer");
  const error = await failure(get());
  assert.deepEqual([error.code, error.status, afterDenials.length], ["permissionDenied", 401, 4]);
  assert.equal(error.message, "kubernetes: get service default/s: 401 Unauthorized: Unauthorized");
});

test("a request that the server accepts and does not answer fails after 15 s", async () => {
  const { api, get, clock } = await start();
  api.freeze();
  const failed = failure(get());
  await api.until((counts) => counts.get === 1);
  clock.advance(14_999);
  await turn();
  clock.advance(1);
  assert.match(
    (await failed).message,
    /^kubernetes: get service default\/s: 127\.0\.0\.1:\d+: nothing heard for 15 s$/,
  );
});

test("an answer that stops in the middle fails after 15 s", async () => {
  const { api, get, clock } = await start();
  api.stallNext(1);
  const failed = failure(get());
  await api.until((counts) => counts.get === 1);
  let error: DiscoveryError | undefined;
  void failed.then((one) => {
    error = one;
  });
  for (let n = 0; n < 100 && !error; n++) {
    clock.advance(1_000);
    await turn();
  }
  assert.equal(error?.code, "unavailable");
});

test("a 403 names user, verb, resource and namespace; 404 and 503 repeat the message of the server", async () => {
  const { api, get } = await start();
  api.forbid("get", "services", "jane");
  const error = await failure(get());
  assert.deepEqual([error.code, error.status], ["permissionDenied", 403]);
  assert.equal(
    error.message,
    'kubernetes: get service default/s: 403 Forbidden: services "s" is forbidden: User "jane" cannot get resource "services" in API group "" in the namespace "default"',
  );
  api.accept();
  api.refuse(503, { times: 1, retryAfterSeconds: 3, message: "starting" });
  const { code, status, retryAfterMs, message } = await failure(get());
  assert.deepEqual([code, status, retryAfterMs], ["unavailable", 503, 3_000]);
  assert.match(message, /503 Service Unavailable: starting$/);
  api.deleteService("s");
  assert.equal((await failure(get())).status, 404);
});

test("the error of an unreachable server has its address and the reason; when the server is back, the next request succeeds", async () => {
  const { api, get } = await start();
  await get();
  await api.stop();
  assert.match((await failure(get())).message, /get service default\/s: 127\.0\.0\.1:\d+: connect ECONNREFUSED/);
  await api.start();
  await get();
});

test("an idle connection that the server closed does not fail the next request", async () => {
  const { api, get } = await start();
  for (let n = 0; n < 5; n++) {
    await get();
    await api.stop();
    await api.start();
  }
  await get();
});

test("an abort ends a request at once in every phase and leaves no socket", async () => {
  const never = new Promise<never>(() => {});
  const phases: [string, (api: FakeApiServer) => ApiAccess, (api: FakeApiServer) => Promise<unknown>][] = [
    ["credentials", (api) => ({ ...api.access, credentials: () => never }), turn],
    ["connecting", (api) => api.access, async () => {}],
    ["waiting for the answer", (api) => api.access, (api) => api.until(({ get }) => get === 1)],
    [
      "reading the body",
      (api) => api.access,
      (api) =>
        api
          .until(({ get }) => get === 1)
          .then(turn)
          .then(turn),
    ],
  ];
  for (const [name, access, reached] of phases) {
    const { api, get, controller, client, clock } = await start(access);
    if (name.startsWith("waiting")) api.freeze();
    if (name.startsWith("reading")) api.stallNext(1);
    const failed = failure(get());
    await reached(api);
    controller.abort();
    assert.equal((await failed).code, "unavailable", name);
    client.close();
    await api.until(({ connections }) => connections === 0);
    await turn();
    assert.deepEqual([clock.sleeping, getEventListeners(controller.signal, "abort").length], [0, 0], name);
  }
});

test("credentials that do not arrive within 15 s are an error of their own, not one of the server", async () => {
  const { get, clock } = await start((api) => ({
    ...api.access,
    server: api.access.server,
    credentials: () => new Promise(() => {}),
  }));
  const failed = failure(get());
  await clock.asleep();
  clock.advance(15_000);
  const { code, message } = await failed;
  assert.equal(code, "unavailable");
  assert.equal(message, `kubernetes: ${what}: the credentials did not come: nothing heard for 15 s`);
});

test("an answer that trickles fails after 60 s, although it is never silent", async () => {
  const { api, get, clock } = await start();
  api.stallNext(1);
  let error: DiscoveryError | undefined;
  void failure(get()).then((one) => {
    error = one;
  });
  await api.until((counts) => counts.get === 1);
  while (!error && clock.now() < 100_000) {
    for (let n = 0; n < 20; n++) await turn();
    clock.advance(2_000);
    if (clock.now() % 10_000 === 0) api.trickle();
  }
  assert.match(
    error?.message ?? "",
    /^kubernetes: get service default\/s: 127\.0\.0\.1:\d+: no whole answer within 60 s$/,
  );
  assert.ok(clock.now() >= 60_000 && clock.now() <= 64_000, `given up after ${clock.now()} ms`);
});

test("a 401 whose body never ends fails at once, and its connection is closed", async () => {
  const sockets: Socket[] = [];
  const server = createServer((request, response) => {
    sockets.push(request.socket);
    if (sockets.length > 1) response.end('{"kind":"Service","metadata":{"name":"s"}}');
    else response.writeHead(401).write("{");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanups.push(async () => void (await once(server.close(), "close")));
  const { port } = server.address() as AddressInfo;
  const { get } = await start((api) => ({ ...api.access, server: new URL(`http://127.0.0.1:${port}`) }));
  assert.equal((await get()).name, "s");
  const [first, second] = sockets;
  assert.ok(first && second && first !== second);
  if (!first.destroyed) await once(first, "close");
  assert.equal(second.destroyed, false);
});

test("the connection that a watch will use is probed by TCP every 15 s", async (t) => {
  const setKeepAlive = t.mock.method(Socket.prototype, "setKeepAlive");
  const { get } = await start();
  await get();
  await turn();
  assert.deepEqual(setKeepAlive.mock.calls.at(-1)?.arguments, [true, 15_000]);
});
