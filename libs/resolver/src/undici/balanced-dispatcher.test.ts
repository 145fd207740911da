import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { networkInterfaces } from "node:os";
import { test } from "node:test";
import { assertNothingLeft, makeCertificates } from "@grpc-lb/core/testing";
import { Dispatcher1Wrapper, fetch, Headers, interceptors, request } from "undici";
import { endpointAt, FakeSource } from "../../testing/fake-source.ts";
import { get, startHttpRig } from "../../testing/http-rig.ts";
import { settled } from "../../testing/rig.ts";
import { BalancedDispatcher } from "./index.ts";

const none = "service default/server has no ready endpoints";

test("requests go to each endpoint in turn, each with the URL's path and host", async (t) => {
  const { source, dispatcher, pods } = await startHttpRig(t, ["a", "b", "c"]);
  source.setEndpoints(pods.map(({ endpoint }) => endpoint));
  const answers: string[] = [];
  for (let n = 0; n < 9; n++) answers.push(await get(dispatcher));
  assert.equal(answers.slice(0, 3).sort().join(""), "abc");
  assert.deepEqual(answers.slice(3), [...answers.slice(0, 3), ...answers.slice(0, 3)]);
  assert.deepEqual([pods[0].seen[0]?.url, pods[0].seen[0]?.headers.host], ["/pod?x=1", "server.default"]);
  assert.equal(source.runs, 1);
});

test("Host is the URL's in every form that headers have, unless the caller gives it; no header is lost", async (t) => {
  const { source, dispatcher, pods } = await startHttpRig(t, ["a"]);
  source.setEndpoints([pods[0].endpoint]);
  const twice = [
    ["x-a", "1"],
    ["x-a", "2"],
  ] as [string, string][];
  for (const [form, headers, host, given] of [
    ["none", undefined, "server.default", undefined],
    ["object", { "x-a": ["1", "2"] }, "server.default", "1, 2"],
    ["array", ["x-a", "1", "x-a", "2"], "server.default", "1, 2"],
    ["iterable", twice.values(), "server.default", "1, 2"],
    ["Map", new Map([["x-a", ["1", "2"]]]), "server.default", "1, 2"],
    ["Headers", new Headers(twice), "server.default", "1, 2"],
    ["object with host", { HOST: "other", "x-a": "1" }, "other", "1"],
    ["array with host", ["x-a", "1", "Host", "other"], "other", "1"],
    ["iterable with host", new Map([["host", "other"]]).entries(), "other", undefined],
  ] as const) {
    assert.equal(await get(dispatcher, { headers }), "a", form);
    const seen = pods[0].seen.at(-1)?.headers;
    assert.deepEqual([seen?.host, seen?.["x-a"]], [host, given], form);
  }
});

test("requests wait until the source knows something; then `drain` invites more", async (t) => {
  const { source, dispatcher, pods } = await startHttpRig(t, ["a", "b"]);
  const drained = once(dispatcher, "drain");
  const waiting = [get(dispatcher), get(dispatcher), fetch("http://server/", { dispatcher }).then((r) => r.text())];
  await source.untilOpen(1);
  await settled();
  assert.equal(pods[0].seen.length + pods[1].seen.length, 0);
  source.setEndpoints([pods[0].endpoint, pods[1].endpoint]);
  assert.equal((await Promise.all(waiting)).sort().join("").replace(/a+b+/, "ab"), "ab");
  assert.equal(String((await drained)[0]), "http://server.default/");
});

test("without endpoints requests fail at once with the reason; the next endpoint is used at once", async (t) => {
  const { source, dispatcher, pods } = await startHttpRig(t, ["a"]);
  source.setError("permissionDenied", "kubernetes: list endpointslices default/server: 403 Forbidden");
  await assert.rejects(get(dispatcher), { code: "permissionDenied", message: /403 Forbidden/ });
  source.setEndpoints([]);
  await settled();
  await assert.rejects(get(dispatcher), { code: "unavailable", message: none });
  await assert.rejects(fetch("http://server/", { dispatcher }), (error: Error) => {
    assert.equal((error.cause as Error).message, none);
    return true;
  });
  source.setError("unavailable", "away");
  await settled();
  await assert.rejects(get(dispatcher), { message: `${none}; away` });
  source.setEndpoints([pods[0].endpoint]);
  await settled();
  assert.equal(await get(dispatcher), "a");
});

test("a target is as good as a source", async (t) => {
  const { pods } = await startHttpRig(t, ["a", "b"]);
  const dispatcher = new BalancedDispatcher(`static:///${pods.map(({ port }) => `127.0.0.1:${port}`)}`);
  assert.deepEqual([await get(dispatcher), await get(dispatcher)].sort(), ["a", "b"]);
  await dispatcher.close();
});

test("an error of the source keeps the endpoints", async (t) => {
  const { source, dispatcher, pods } = await startHttpRig(t, ["a"]);
  source.setEndpoints([pods[0].endpoint]);
  await get(dispatcher);
  source.setError("unavailable", "away");
  await settled();
  assert.equal(await get(dispatcher), "a");
});

test("a request in flight on an endpoint that leaves ends normally, and no new request goes there", async (t) => {
  const { source, dispatcher, pods } = await startHttpRig(t, ["a", "b"]);
  const [a, b] = pods;
  source.setEndpoints([a.endpoint]);
  const { promise, resolve } = Promise.withResolvers<ServerResponse>();
  a.serve = (_incoming, response) => resolve(response);
  const inFlight = get(dispatcher);
  const response = await promise;
  source.setEndpoints([b.endpoint]);
  await settled();
  assert.deepEqual([await get(dispatcher), await get(dispatcher)], ["b", "b"]);
  response.end("late");
  assert.deepEqual([await inFlight, a.seen.length], ["late", 1]);
});

const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === "::1"));

test("an IPv6 endpoint is reached", { skip: !hasIpv6 && "no IPv6 here" }, async (t) => {
  const { source, dispatcher, pods } = await startHttpRig(t, ["six"], { host: "::1" });
  source.setEndpoints([pods[0].endpoint]);
  assert.equal(await get(dispatcher), "six");
});

test("an aborted request that waits fails at once and is never sent", async (t) => {
  const { source, dispatcher, pods } = await startHttpRig(t, ["a"]);
  const stop = new AbortController();
  const byRequest = get(dispatcher, { signal: stop.signal });
  const byFetch = fetch("http://server/", { dispatcher, signal: stop.signal });
  const before = get(dispatcher, { signal: AbortSignal.abort(new Error("before")) });
  const other = get(dispatcher);
  await source.untilOpen(1);
  stop.abort(new Error("not wanted"));
  await assert.rejects(byRequest, /not wanted/);
  await assert.rejects(byFetch, /not wanted/);
  await assert.rejects(before, /before/);
  source.setEndpoints([pods[0].endpoint]);
  assert.equal(await other, "a");
  assert.equal(pods[0].seen.length, 1);
});

test("a request that waited can be aborted once it is sent, and its body is read at the reader's pace", async (t) => {
  const { source, dispatcher, pods } = await startHttpRig(t, ["a"]);
  const begun = Promise.withResolvers<void>();
  pods[0].serve = (_incoming, response) => {
    response.write("x");
    begun.resolve();
  };
  const stop = new AbortController();
  const waiting = request("http://server/", { dispatcher, signal: stop.signal, method: "POST", body: "text" });
  await source.untilOpen(1);
  source.setEndpoints([pods[0].endpoint]);
  const { body, statusCode } = await waiting;
  await begun.promise;
  assert.equal(statusCode, 200);
  stop.abort(new Error("enough"));
  await assert.rejects(body.text(), /enough/);
  pods[0].serve = (_incoming, response) => response.end("y".repeat(1_000_000));
  assert.equal((await get(dispatcher)).length, 1_000_000);
});

for (const end of ["close", "destroy"] as const) {
  for (const state of ["unused", "waiting", "used", "ended"] as const) {
    test(`${end} when ${state} leaves nothing, may be called again, and fails the requests that wait`, async (t) => {
      const { source, dispatcher, pods } = await startHttpRig(t, ["a"]);
      const waiting = state === "waiting" ? get(dispatcher) : undefined;
      if (state === "used") {
        source.setEndpoints([pods[0].endpoint]);
        await get(dispatcher);
      }
      if (state === "ended") await dispatcher.destroy();
      const ended = Promise.all([dispatcher[end](), dispatcher[end](), dispatcher.close()]);
      if (waiting) await assert.rejects(waiting, /closed|destroyed/);
      await ended;
      assert.deepEqual([source.openRuns, pods[0].seen.length], [0, state === "used" ? 1 : 0]);
      await assert.rejects(get(dispatcher), /closed|destroyed/);
      await new Promise<void>((resolve) => dispatcher.close(resolve));
      await new Promise<void>((resolve) => dispatcher.destroy(null, resolve));
    });
  }
}

test("close lets a request in flight end", async (t) => {
  const { source, dispatcher, pods } = await startHttpRig(t, ["a"]);
  source.setEndpoints([pods[0].endpoint]);
  const arrived = Promise.withResolvers<ServerResponse>();
  pods[0].serve = (_incoming, response) => arrived.resolve(response);
  const inFlight = get(dispatcher);
  const response = await arrived.promise;
  const closed = dispatcher.close();
  response.end("done");
  assert.equal(await inFlight, "done");
  await closed;
});

test("destroy ends a request in flight, with the given reason", async (t) => {
  const { source, dispatcher, pods } = await startHttpRig(t, ["b"]);
  source.setEndpoints([pods[0].endpoint]);
  const held = Promise.withResolvers<void>();
  pods[0].serve = () => held.resolve();
  const cut = get(dispatcher);
  await held.promise;
  await Promise.all([assert.rejects(cut, /enough/), dispatcher.destroy(new Error("enough"))]);
});

test("a request may close the dispatcher while the waiting ones are sent", async (t) => {
  const { source, dispatcher } = await startHttpRig(t, []);
  const first = get(dispatcher).catch(async (error: Error) => {
    await dispatcher.destroy();
    return error.message;
  });
  source.setEndpoints([]);
  assert.equal(await first, none);
});

test("a retry goes to the next endpoint", async (t) => {
  const { source, dispatcher, pods } = await startHttpRig(t, ["a", "b"]);
  const [a, b] = pods;
  a.serve = (_incoming, response) => {
    response.statusCode = 503;
    response.end();
  };
  source.setEndpoints([a.endpoint, b.endpoint]);
  const retrying = dispatcher.compose(interceptors.retry({ minTimeout: 1, maxTimeout: 1, statusCodes: [503] }));
  assert.deepEqual([await get(retrying), await get(retrying)], ["b", "b"]);
});

test("https keeps the URL's scheme: it never falls back to plain HTTP", async (t) => {
  const { source, dispatcher, pods } = await startHttpRig(t, ["a"]);
  source.setEndpoints([pods[0].endpoint]);
  await assert.rejects(request("https://server.default/", { dispatcher }), /SSL|EPROTO|wrong version|ECONNRESET/i);
  assert.equal(pods[0].seen.length, 0);
});

test("https checks the certificate against the URL's host, whatever the endpoint's address", async (t) => {
  const certificates = makeCertificates("server.default");
  if (!certificates) return t.skip("there is no openssl to make certificates with");
  t.after(certificates.remove);
  const { certFile, keyFile } = certificates.server;
  const pair = { key: readFileSync(keyFile), cert: readFileSync(certFile) };
  const server = createTlsServer(pair, (_incoming, response) => response.end("secure")).listen(0, "127.0.0.1");
  await once(server, "listening");
  const source = new FakeSource();
  source.setEndpoints([endpointAt((server.address() as AddressInfo).port)]);
  const dispatcher = new BalancedDispatcher(source, { connect: { ca: readFileSync(certificates.caFile) } });
  const response = await request("https://server.default/", { dispatcher });
  assert.equal(await response.body.text(), "secure");
  await assert.rejects(request("https://other.default/", { dispatcher }), { code: "ERR_TLS_CERT_ALTNAME_INVALID" });
  await dispatcher.destroy();
  server.close();
  await assertNothingLeft();
});

test("Node's own fetch has another undici in it: it is refused at once, and works through undici's Dispatcher1Wrapper", async (t) => {
  const { source, dispatcher, pods } = await startHttpRig(t, ["a"]);
  const own = (given: unknown) => globalThis.fetch("http://server/", { dispatcher: given } as unknown as RequestInit);
  await assert.rejects(own(dispatcher), (error: Error) => {
    assert.match((error.cause as Error).message, /Dispatcher1Wrapper/);
    return true;
  });
  source.setEndpoints([pods[0].endpoint]);
  const wrapped = new Dispatcher1Wrapper(dispatcher);
  assert.equal(await (await own(wrapped)).text(), "a");
  assert.equal(pods[0].seen[0]?.headers.host, "server");
});
