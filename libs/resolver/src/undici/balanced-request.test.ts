import assert from "node:assert/strict";
import { once } from "node:events";
import { PassThrough, Readable } from "node:stream";
import { test } from "node:test";
import { closedPort, until } from "@grpc-lb/core/testing";
import type { Endpoint } from "@grpc-lb/discovery";
import { Agent, buildConnector, type Dispatcher, errors, interceptors, request } from "undici";
import { endpointAt } from "../../testing/fake-source.ts";
import { get, startHttpRig } from "../../testing/http-rig.ts";
import { settled } from "../../testing/rig.ts";

/** Connections to the endpoints in `holds` open when the test opens them; all others open at once. */
function holdConnections() {
  const connector = buildConnector({});
  const holds = new Set<Endpoint>();
  const held: { open(): void; fail(error: Error): void }[] = [];
  const requested: string[] = [];
  const connect: buildConnector.connector = (options, callback) => {
    requested.push(options.port);
    const isHeld = [...holds].some(({ addresses }) => String(addresses[0]?.port) === options.port);
    if (!isHeld) return connector(options, callback);
    held.push({ open: () => connector(options, callback), fail: (error) => callback(error, null) });
  };
  /** Resolves with the held connection that is wanted as the n-th, from 0. */
  const wanted = async (n: number) => {
    await until(() => held.length > n, `${n + 1} held connections`);
    return held[n] ?? assert.fail();
  };
  return { connect, holds, held, wanted, requested };
}

test("a body that fails while its request waits fails the request, and not the process", async (t) => {
  const { source, dispatcher, pods } = await startHttpRig(t, ["a"]);
  const body = new PassThrough();
  const waiting = get(dispatcher, { method: "POST", body });
  const other = get(dispatcher);
  await source.untilOpen(1);
  body.destroy(new Error("the disk is gone"));
  await assert.rejects(waiting, /the disk is gone/);
  source.setEndpoints([pods[0].endpoint]);
  assert.equal(await other, "a");
  assert.equal(pods[0].seen.length, 1);
});

test("a body that fails while the connection is opened fails the request at once, and not the process", async (t) => {
  const { connect, holds, wanted } = holdConnections();
  const { source, dispatcher, pods } = await startHttpRig(t, ["a"], { connect });
  holds.add(pods[0].endpoint);
  source.setEndpoints([pods[0].endpoint]);
  const body = new PassThrough();
  const failing = get(dispatcher, { method: "POST", body });
  const connection = await wanted(0);
  body.destroy(new Error("the disk is gone"));
  await assert.rejects(failing, /the disk is gone/);
  holds.clear();
  connection.open();
  assert.deepEqual([await get(dispatcher), pods[0].seen.length], ["a", 1]);
});

test("a body that fails once it is sent fails the request, and the stream keeps no listener of a request that has ended", async (t) => {
  const { source, dispatcher, pods } = await startHttpRig(t, ["a"]);
  source.setEndpoints([pods[0].endpoint]);
  const arrived = Promise.withResolvers<void>();
  pods[0].serve = () => arrived.resolve();
  const body = new PassThrough();
  body.write("x");
  const failing = get(dispatcher, { method: "POST", body });
  await arrived.promise;
  body.destroy(new Error("the disk is gone"));
  await assert.rejects(failing, /the disk is gone/);
  pods[0].serve = (incoming, response) => incoming.resume().on("end", () => response.end("done"));
  const agent = new Agent();
  const origin = `http://127.0.0.1:${pods[0].port}`;
  const bodies = [Readable.from(["all"]), Readable.from(["all"])] as const;
  assert.equal(await get(dispatcher, { method: "POST", body: bodies[0] }), "done");
  await request(origin, { method: "POST", body: bodies[1], dispatcher: agent }).then((response) =>
    response.body.text(),
  );
  assert.equal(bodies[0].listenerCount("error"), bodies[1].listenerCount("error"), "as with undici's own");
  await agent.destroy();
});

test("a request that no connection was opened for goes to the next endpoint, whatever its method and body", async (t) => {
  const { source, dispatcher, pods } = await startHttpRig(t, ["a"]);
  pods[0].serve = (incoming, response) => void incoming.pipe(response);
  for (const body of ["text", Readable.from(["text"]), Buffer.from("text"), new Blob(["text"])]) {
    source.setEndpoints([pods[0].endpoint, endpointAt(await closedPort())]);
    await settled();
    const answers = [get(dispatcher, { method: "POST", body }), get(dispatcher), get(dispatcher)];
    assert.deepEqual(await Promise.all(answers), ["text", "", ""]);
  }
});

test("one refused port of two costs no request, and sees one attempt to connect", async (t) => {
  const { source, dispatcher, pods } = await startHttpRig(t, ["a"]);
  let refused = 0;
  dispatcher.on("connectionError", () => {
    refused += 1;
  });
  source.setEndpoints([pods[0].endpoint, endpointAt(await closedPort())]);
  for (let n = 0; n < 20; n++) assert.equal(await get(dispatcher), "a");
  assert.equal(refused, 1);
});

test("an endpoint in backoff is tried again in time, and used like the others once it answers", async (t) => {
  const { connect, holds, held, wanted } = holdConnections();
  const { source, clock, dispatcher, pods } = await startHttpRig(t, ["a", "b"], { connect });
  holds.add(pods[0].endpoint);
  source.setEndpoints(pods.map(({ endpoint }) => endpoint));
  const first = get(dispatcher);
  (await wanted(0)).fail(new errors.ConnectTimeoutError("too slow"));
  assert.equal(await first, "b");
  assert.deepEqual([await get(dispatcher), await get(dispatcher), held.length], ["b", "b", 1]);
  clock.advance(1_000);
  const trial = get(dispatcher);
  const again = await wanted(1);
  assert.deepEqual([await get(dispatcher), await get(dispatcher)], ["b", "b"], "the others do not wait for it");
  holds.clear();
  again.open();
  assert.equal(await trial, "a");
  const answers = [await get(dispatcher), await get(dispatcher), await get(dispatcher), await get(dispatcher)];
  assert.equal(answers.sort().join(""), "aabb");
});

test("a request tries five endpoints at most; when all are in backoff, it tries one, and fails with its error", async (t) => {
  const { source, dispatcher } = await startHttpRig(t, []);
  const ports = await Promise.all(Array.from({ length: 7 }, () => closedPort()));
  source.setEndpoints(ports.map((port) => endpointAt(port)));
  let refused = 0;
  dispatcher.on("connectionError", () => {
    refused += 1;
  });
  const attempts = async () => {
    refused = 0;
    await assert.rejects(get(dispatcher), { code: "ECONNREFUSED", message: /^connect ECONNREFUSED 127\.0\.0\.1:/ });
    return refused;
  };
  assert.deepEqual(
    [await attempts(), await attempts(), await attempts()],
    [5, 3, 1],
    "the second: two new ones, one more",
  );
});

test("an abort takes effect while the connection is opened; nothing is sent, and the connection's failure still counts", async (t) => {
  const { connect, holds, held, wanted, requested } = holdConnections();
  const { source, dispatcher, pods } = await startHttpRig(t, ["a", "b"], { connect });
  holds.add(pods[0].endpoint);
  source.setEndpoints(pods.map(({ endpoint }) => endpoint));
  const stop = new AbortController();
  const late = get(dispatcher, { signal: stop.signal });
  const connection = await wanted(0);
  stop.abort(new Error("not wanted"));
  await assert.rejects(late, /not wanted/);
  connection.fail(new errors.ConnectTimeoutError("too slow"));
  await settled();
  assert.equal(requested.length, 1, "it is tried nowhere else");
  assert.deepEqual([await get(dispatcher), await get(dispatcher), held.length], ["b", "b", 1]);
  assert.equal(pods[0].seen.length, 0);
});

test("a request that is aborted before its connection is open is not sent, and its handler learns it once", async (t) => {
  const { connect, holds, wanted } = holdConnections();
  const { source, dispatcher, pods } = await startHttpRig(t, ["a"], { connect });
  holds.add(pods[0].endpoint);
  source.setEndpoints([pods[0].endpoint]);
  const received: string[] = [];
  let controller: Dispatcher.DispatchController | undefined;
  dispatcher.dispatch(
    { origin: "http://server", path: "/", method: "GET" },
    {
      onRequestStart: (given) => {
        controller = given;
      },
      onResponseError: (_controller, error) => received.push(error.message),
    },
  );
  const connection = await wanted(0);
  controller?.abort(new Error("enough"));
  controller?.abort(new Error("more than enough"));
  assert.deepEqual([controller?.aborted, controller?.reason?.message], [true, "enough"]);
  connection.open();
  await once(dispatcher, "disconnect");
  assert.deepEqual([received, pods[0].seen.length], [["enough"], 0]);
});

test("a request whose dispatcher is destroyed while it connects is tried nowhere else", async (t) => {
  const { connect, holds, held, wanted } = holdConnections();
  const { source, dispatcher, pods } = await startHttpRig(t, ["a", "b"], { connect });
  holds.add(pods[0].endpoint);
  source.setEndpoints(pods.map(({ endpoint }) => endpoint));
  const cut = get(dispatcher);
  await wanted(0);
  const reason = Object.assign(new Error("enough"), { code: "ENOUGH" });
  await Promise.all([assert.rejects(cut, reason), dispatcher.destroy(reason)]);
  assert.equal(held.length, 1);
});

test("a request that waits may be paused; its answer is read when it is resumed", async (t) => {
  const { source, dispatcher, pods } = await startHttpRig(t, ["a"]);
  const { promise, resolve } = Promise.withResolvers<Dispatcher.DispatchController>();
  const answered = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  let text = "";
  pods[0].serve = (_incoming, response) => response.end("answer", answered.resolve);
  dispatcher.dispatch(
    { origin: "http://server", path: "/", method: "GET" },
    {
      onRequestStart: (controller) => {
        controller.pause();
        resolve(controller);
      },
      onResponseStart: () => started.resolve(),
      onResponseData: (_controller, chunk) => {
        text += chunk;
      },
      onResponseEnd: () => ended.resolve(),
      onResponseError: (_controller, error) => ended.reject(error),
    },
  );
  const controller = await promise;
  assert.equal(controller.paused, true);
  await source.untilOpen(1);
  source.setEndpoints([pods[0].endpoint]);
  await Promise.all([answered.promise, started.promise]);
  for (let turn = 0; turn < 10; turn++) await settled();
  assert.deepEqual([text, controller.paused], ["", true]);
  controller.resume();
  await ended.promise;
  assert.equal(text, "answer");
});

test("a waiting request whose handler throws, or that is not valid, keeps no other from being sent", async (t) => {
  const { source, dispatcher, pods } = await startHttpRig(t, ["a"]);
  const failed: string[] = [];
  const bug = () => {
    throw new Error("a handler's bug");
  };
  const throwing = { onRequestStart: () => {}, onResponseError: bug };
  const warned = once(process, "warning");
  const dispatch = (options: object, handler: Dispatcher.DispatchHandler = {}) =>
    dispatcher.dispatch({ origin: "http://server", path: "/", method: "GET", ...options } as never, {
      onRequestStart: () => {},
      onResponseError: (_controller, error) => failed.push(error.message),
      ...handler,
    });
  const waiting = [get(dispatcher)];
  dispatch({ origin: "nonsense" });
  dispatch({ headers: { [Symbol.iterator]: 1 } });
  dispatch({ query: { a: 1 }, path: "/?b" });
  dispatch({ path: "nowhere" }, throwing);
  dispatch({}, { onRequestStart: bug });
  waiting.push(get(dispatcher));
  await source.untilOpen(1);
  source.setEndpoints([pods[0].endpoint]);
  assert.deepEqual(await Promise.all(waiting), ["a", "a"]);
  assert.match(String(await warned), /a handler's bug/);
  assert.equal(failed.length, 4, failed.join("\n"));
  assert.deepEqual([failed[0], failed.filter((text) => text === "a handler's bug").length], ["Invalid URL", 1]);
});

test("a request that is not valid fails at once, and puts no endpoint in backoff", async (t) => {
  const { source, dispatcher, pods } = await startHttpRig(t, ["a", "b"]);
  source.setEndpoints(pods.map(({ endpoint }) => endpoint));
  assert.deepEqual([await get(dispatcher), await get(dispatcher)], ["a", "b"]);
  const wrong = { "x-a": "line\nbreak" };
  for (let n = 0; n < 2; n++)
    await assert.rejects(get(dispatcher, { headers: wrong }), { code: "UND_ERR_INVALID_ARG" });
  const answers = [await get(dispatcher), await get(dispatcher), await get(dispatcher), await get(dispatcher)];
  assert.equal(answers.sort().join(""), "aabb");
});

test("the end of the dispatcher fails all requests that wait, also when a handler throws", async (t) => {
  const { dispatcher } = await startHttpRig(t, []);
  const warned = once(process, "warning");
  const onResponseError = () => {
    throw new Error("a handler's bug");
  };
  dispatcher.dispatch(
    { origin: "http://server", path: "/", method: "GET" },
    { onRequestStart: () => {}, onResponseError },
  );
  const waiting = get(dispatcher);
  await Promise.all([assert.rejects(waiting, /destroyed/), dispatcher.destroy()]);
  assert.match(String(await warned), /a handler's bug/);
});

test("interceptors.retry repeats what failed without an endpoint, when its options have that code", async (t) => {
  const { source, dispatcher, pods } = await startHttpRig(t, ["a"]);
  source.setEndpoints([]);
  const retrying = dispatcher.compose(
    (dispatch) => (options, handler) => {
      if (source.openRuns > 0) queueMicrotask(() => source.setEndpoints([pods[0].endpoint]));
      return dispatch(options, handler);
    },
    interceptors.retry({ minTimeout: 1, maxTimeout: 1, errorCodes: ["unavailable"] }),
  );
  await assert.rejects(get(dispatcher), { code: "unavailable" });
  assert.equal(await get(retrying), "a");
});
