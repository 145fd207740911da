import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, createServer, get } from "node:http";
import { connect, createServer as createHttp2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { type ClientEvent, observeCalls } from "./client-events.ts";

/** The events without their times. */
const seen = (events: readonly ClientEvent[]) =>
  events.map((event) => (event.event === "call" ? { ...event, ms: 0 } : event));

test("HTTP/1.1 calls on fresh connections are reported with a connection each, and other requests are not", async (t) => {
  const server = createServer((_request, response) => response.end("a")).listen(0, "127.0.0.1");
  t.after(async () => {
    await server[Symbol.asyncDispose]();
    await assertNothingLeft();
  });
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const agent = new Agent({ keepAlive: false });
  const request = async (path: string) => {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    get({ host: "127.0.0.1", port, path, agent }, (response) => {
      response.resume().socket.once("close", () => resolve("a"));
    }).on("error", reject);
    return promise;
  };
  const events: ClientEvent[] = [];
  const observer = observeCalls({ call: () => request("/pod"), path: "/pod" }, (event) => events.push(event));
  await observer.call();
  await request("/watch");
  await observer.call();
  observer.close();
  await request("/pod");
  const peer = `127.0.0.1:${port}`;
  assert.deepEqual(
    seen(events),
    [1, 2].flatMap((connection) => [
      { event: "connection-opened", connection, peer },
      { event: "connection-closed", connection },
      { event: "call", ms: 0, pod: "a", connection },
    ]),
  );
});

test("HTTP/2 calls share the connection that is reported once, and GOAWAY comes before its end", async (t) => {
  const server = createHttp2Server((_request, response) => response.end("a")).listen(0, "127.0.0.1");
  t.after(async () => {
    await server[Symbol.asyncDispose]();
    await assertNothingLeft();
  });
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const accepted = once(server, "session");
  const session = connect(`http://127.0.0.1:${port}`);
  t.after(() => session.destroy());
  const call = async () => {
    const stream = session.request({ ":path": "/pod.v1.PodService/GetPod" });
    stream.resume();
    await once(stream, "end");
    return "a";
  };
  const events: ClientEvent[] = [];
  const observer = observeCalls({ call, path: "/pod.v1.PodService/GetPod" }, (event) => events.push(event));
  await Promise.all([observer.call(), observer.call()]);
  const closed = once(session, "close");
  const [serverSession] = await accepted;
  serverSession.close();
  await closed;
  await assert.rejects(observer.call(), "a closed session takes no call");
  const named = events.map(({ event, connection }) => `${event} ${connection}`);
  assert.deepEqual(named, [
    ...["connection-opened 1", "call 1", "call 1", "goaway 1", "connection-closed 1"],
    "call undefined",
  ]);
  const failed = events.at(-1);
  assert.ok(failed && "error" in failed && failed.error !== "", JSON.stringify(failed));
  observer.close();
});
