import assert from "node:assert/strict";
import { test } from "node:test";
import { type ServerInterceptor, status } from "@grpc/grpc-js";
import { until } from "@grpc-lb/core/testing";
import { call, type EchoHandlers, kinds, Rig } from "../../testing/index.ts";
import { type ServerStatus, WatchedServerCall } from "./server-call.ts";

for (const kind of kinds) {
  test(`${kind}: details that end in half of a surrogate pair reach the client, of a handler and of an interceptor`, async (t) => {
    const rig = new Rig(t);
    const end = { code: status.NOT_FOUND, details: "cut \ud83d" };
    const ended: ServerStatus[] = [];
    const watching: ServerInterceptor = (method, next) =>
      new WatchedServerCall(method, next, { onEnd: (end) => ended.push(end) });
    const refusing: ServerInterceptor = (method, next) =>
      new WatchedServerCall(method, next, { onStart: async () => end });
    const failing: Partial<EchoHandlers> = {
      say: (_call, respond) => respond(end),
      collect: (_call, respond) => respond(end),
      list: (stream) => void stream.emit("error", end),
      chat: (stream) => void stream.emit("error", end),
    };
    for (const [handlers, interceptors] of [
      [failing, [watching]],
      [{}, [watching, refusing]],
      [{}, [refusing]],
    ] as const) {
      const client = rig.client(await rig.serve(handlers, { interceptors }));
      const { code, details } = await call(client, kind);
      assert.deepEqual([code, details], [status.NOT_FOUND, "cut \ufffd"]);
    }
    assert.deepEqual(
      ended.map(({ details }) => details),
      ["cut \ufffd", "cut \ufffd"],
    );
  });
}

for (const kind of ["collect", "chat"] as const) {
  for (const depth of [1, 3]) {
    test(`${kind}, watched ${depth} times: a call that is cancelled before its half-close is CANCELLED, not OK`, async (t) => {
      const rig = new Rig(t);
      const ended: ServerStatus[] = [];
      let hasMessage = false;
      const watch: ServerInterceptor = (method, next) =>
        new WatchedServerCall(method, next, {
          onReceived: () => {
            hasMessage = true;
          },
          onEnd: (end) => ended.push(end),
        });
      // The handlers of the rig answer at the end of the client's messages.
      const address = await rig.serve({}, { interceptors: Array.from({ length: depth }, () => watch) });
      const outcome = await call(rig.client(address), kind, {
        messages: ["a"],
        halfClose: false,
        onStart: (started) => void until(() => hasMessage, "the message").then(() => started.cancel()),
      });
      assert.equal(outcome.code, status.CANCELLED);
      await until(() => ended.length === depth, "the end of the call");
      assert.deepEqual(
        ended.map(({ code }) => code),
        Array.from({ length: depth }, () => status.CANCELLED),
      );
    });
  }
}
