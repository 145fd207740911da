import assert from "node:assert/strict";
import { once } from "node:events";
import { pipeline } from "node:stream/promises";
import { type TestContext, test } from "node:test";
import { type ServerDuplexStream, type ServerErrorResponse, status } from "@grpc/grpc-js";
import { until } from "@grpc-lb/core/testing";
import {
  answers,
  call,
  type EchoClient,
  type EchoHandlers,
  echo,
  kinds,
  LogRecorder,
  type Outcome,
  Rig,
} from "../../testing/index.ts";
import { withRecovery } from "./recovery.ts";

const secret = "the password is hunter2";

async function start(t: TestContext, handlers: Partial<EchoHandlers>, options = {}) {
  const rig = new Rig(t);
  const log = new LogRecorder();
  const implementation = withRecovery({ ...echo, ...handlers } as EchoHandlers, { logger: log, ...options });
  const { address } = await rig.serveAll(implementation);
  return { log, client: rig.client(address) };
}

const throwing = () => {
  throw new Error(secret);
};
const rejecting = async () => {
  await null;
  throw new Error(secret);
};

for (const kind of kinds) {
  test(`${kind}: a handler that goes well answers as without recovery`, async (t) => {
    const { client, log } = await start(t, {});
    assert.deepEqual(await call(client, kind), { code: 0, details: "", messages: answers[kind] });
    assert.deepEqual(log.entries, []);
  });

  for (const [what, handler] of [
    ["throws", throwing],
    ["rejects", rejecting],
  ] as const) {
    test(`${kind}: a handler that ${what} answers INTERNAL without its text, and is logged with its stack`, async (t) => {
      const { client, log } = await start(t, { [kind]: handler });
      const { code, details } = await call(client, kind);
      assert.deepEqual({ code, details }, { code: status.INTERNAL, details: "Internal error" });
      const { level, fields } = log.only;
      assert.equal(level, "error");
      assert.match((fields.err as Error).stack ?? "", /hunter2[\s\S]*recovery\.test/);
      assert.match(String(fields.method), new RegExp(`^/grpclb.test.Echo/${kind}$`, "i"));
      assert.equal((await call(client, "say")).code, kind === "say" ? status.INTERNAL : 0, "the server goes on");
    });
  }
}

test("a listener on the stream that throws ends the call, not the process", async (t) => {
  const onData: Partial<EchoHandlers> = {
    collect: (stream) => void stream.on("data", throwing),
    chat: (stream) => void stream.on("data", throwing),
  };
  const { client, log } = await start(t, onData);
  for (const kind of ["collect", "chat"] as const) {
    const { code, details } = await call(client, kind);
    assert.deepEqual({ code, details }, { code: status.INTERNAL, details: "Internal error" });
  }
  assert.ok(log.entries.length >= 2);
});

test("an error without a status that a handler passes on does not leak its text", async (t) => {
  const error = Object.assign(new Error(secret), { code: "ECONNREFUSED" });
  const { client, log } = await start(t, {
    say: (_call, respond) => respond(error as unknown as ServerErrorResponse),
    list: (stream) => void stream.emit("error", error),
  });
  for (const kind of ["say", "list"] as const) {
    const { code, details } = await call(client, kind);
    assert.deepEqual({ code, details }, { code: status.INTERNAL, details: "Internal error" });
  }
  assert.deepEqual(
    log.entries.map(({ fields }) => fields.err),
    [error, error],
  );
});

test("a stream that the handler destroys with an error ends with a status", async (t) => {
  const error = new Error(secret);
  const { client, log } = await start(t, {
    list: (stream) => {
      async function* broken() {
        yield "one";
        await null;
        throw error;
      }
      pipeline(broken(), stream).catch(() => {});
    },
    chat: (stream) => void stream.destroy(Object.assign(new Error(), { code: status.ABORTED, details: "why" })),
  });
  const { code, details, messages } = await call(client, "list");
  assert.deepEqual({ code, details }, { code: status.INTERNAL, details: "Internal error" });
  assert.deepEqual(messages, ["one"]);
  assert.equal(log.only.fields.err, error);
  assert.equal((await call(client, "chat")).details, "why");
});

for (const kind of ["list", "chat"] as const) {
  test(`${kind}: a stream that the handler destroys without an error ends as INTERNAL, and is logged`, async (t) => {
    const { client, log } = await start(t, { [kind]: (stream: { destroy(): void }) => stream.destroy() });
    const { code, details } = await call(client, kind);
    assert.deepEqual({ code, details }, { code: status.INTERNAL, details: "Internal error" });
    assert.match(
      (log.only.fields.err as Error).stack ?? "",
      /destroyed its stream before the end[\s\S]*recovery\.test/,
    );
  });

  test(`${kind}: a stream that the handler destroys after its end goes well`, async (t) => {
    const { client, log } = await start(t, {
      [kind]: (stream: ServerDuplexStream<string, string>) => {
        stream.write("one");
        stream.end();
        stream.destroy();
      },
    });
    assert.deepEqual(await call(client, kind), { code: 0, details: "", messages: ["one"] });
    assert.deepEqual(log.entries, []);
  });
}

/** A handler that reads one message in a loop, and then does `next`. */
const leaving = (next: (stream: ServerDuplexStream<string, string>) => void): EchoHandlers["chat"] =>
  (async (stream: ServerDuplexStream<string, string>) => {
    for await (const message of stream) {
      stream.write(message);
      break;
    }
    next(stream);
  }) as EchoHandlers["chat"];

const notFound = Object.assign(new Error(), { code: status.NOT_FOUND, details: "no such pod" });
const answerTwo = (stream: ServerDuplexStream<string, string>): void => {
  stream.write("two");
  stream.end();
};

for (const [what, next, want, logged] of [
  ["answers", answerTwo, { code: 0, details: "", messages: ["a", "two"] }, []],
  [
    "emits an error with a status",
    (stream) => void stream.emit("error", notFound),
    { code: status.NOT_FOUND, details: "no such pod", messages: ["a"] },
    [],
  ],
  ["throws", throwing, { code: status.INTERNAL, details: "Internal error", messages: ["a"] }, [secret]],
  [
    "returns without an answer",
    () => {},
    { code: status.INTERNAL, details: "Internal error", messages: ["a"] },
    ["The operation was aborted"],
  ],
] as const satisfies readonly (readonly [string, Parameters<typeof leaving>[0], Outcome, string[]])[]) {
  test(`a handler that leaves a loop over its stream and ${what} ends the call with that`, async (t) => {
    const { client, log } = await start(t, { chat: leaving(next) });
    assert.deepEqual(await call(client, "chat"), want);
    assert.deepEqual(
      log.entries.map(({ fields }) => (fields.err as Error).message),
      logged,
    );
  });
}

const cut = Object.assign(new Error(), { code: status.NOT_FOUND, details: "no pod \u{1f600}".slice(0, 8) });
for (const kind of kinds) {
  for (const [what, handler] of [
    [
      "passed",
      (stream: ServerDuplexStream<string, string>, respond?: (error: Error) => void) =>
        respond ? respond(cut) : stream.emit("error", cut),
    ],
    ["chosen by toStatus", rejecting],
  ] as const) {
    test(`${kind}: a status whose text was cut in the middle of a character, and is ${what}, reaches the client`, async (t) => {
      const { client } = await start(t, { [kind]: handler }, { toStatus: () => cut });
      const { code, details } = await call(client, kind);
      assert.deepEqual({ code, details }, { code: status.NOT_FOUND, details: "no pod \ufffd" });
    });
  }
}

test("handlers may be frozen, and have getters with private fields", async (t) => {
  class Handlers {
    readonly #say = echo.say;
    get say() {
      return this.#say;
    }
  }
  const rig = new Rig(t);
  const { say, ...others } = echo;
  assert.ok(say);
  const handlers = Object.freeze(
    Object.assign(new Handlers(), { ...others, list: rejecting }),
  ) as unknown as EchoHandlers;
  const { address } = await rig.serveAll(withRecovery(handlers));
  assert.deepEqual((await call(rig.client(address), "say")).messages, ["a"]);
  assert.equal((await call(rig.client(address), "list")).code, status.INTERNAL);
});

test("an error with a status reaches the client as the handler means it, and is not logged", async (t) => {
  const error = { code: status.NOT_FOUND, details: "no such pod" };
  const { client, log } = await start(t, {
    say: (_call, respond) => respond(error),
    list: (stream) => void stream.emit("error", error),
  });
  for (const kind of ["say", "list"] as const) {
    const { code, details } = await call(client, kind);
    assert.deepEqual({ code, details }, error);
  }
  assert.deepEqual(log.entries, []);
});

test("toStatus chooses the status of a thrown error", async (t) => {
  class Missing extends Error {}
  const toStatus = (error: unknown) =>
    error instanceof Missing ? { code: status.NOT_FOUND, details: "no such pod" } : undefined;
  const { client, log } = await start(
    t,
    {
      say: () => {
        throw new Missing(secret);
      },
      list: rejecting,
    },
    { toStatus },
  );
  const { code, details } = await call(client, "say");
  assert.deepEqual({ code, details }, { code: status.NOT_FOUND, details: "no such pod" });
  assert.equal((await call(client, "list")).code, status.INTERNAL);
  assert.equal(log.entries.length, 1);
});

test("a handler that fails after its answer is logged, and the answer stays", async (t) => {
  const { client, log } = await start(t, {
    say: (({ request }, respond) => {
      respond(null, request);
      respond(null, "a second answer");
      throw new Error(secret);
    }) as EchoHandlers["say"],
  });
  assert.deepEqual(await call(client, "say"), { code: 0, details: "", messages: ["a"] });
  assert.equal(log.only.level, "error");
});

test("a handler that rejects after the client has cancelled is logged", async (t) => {
  const { client, log } = await start(t, {
    chat: (async (stream: ServerDuplexStream<string, string>) => {
      stream.on("data", () => stream.write("begun"));
      await once(stream, "cancelled");
      throw new Error(secret);
    }) as EchoHandlers["chat"],
  });
  const { code } = await call(client, "chat", {
    halfClose: false,
    onStart: (started) => void (started as ReturnType<EchoClient["chat"]>).once("data", () => started.cancel()),
  });
  assert.equal(code, status.CANCELLED);
  await until(() => log.entries.length === 1, "an entry");
});

test("methods of a class keep their this and their private fields", async (t) => {
  class Handlers {
    readonly #prefix = "hello ";
    say: EchoHandlers["say"] = (_call, respond) => respond(null, this.#prefix);
    collect = echo.collect;
    list = echo.list;
    chat = echo.chat;
    [name: string]: EchoHandlers[string];
  }
  const rig = new Rig(t);
  const { address } = await rig.serveAll(withRecovery(new Handlers()));
  assert.deepEqual((await call(rig.client(address), "say")).messages, ["hello "]);
});

test("a logger that throws does not fail the server", async (t) => {
  const rig = new Rig(t);
  const logger = { debug: throwing, info: throwing, warn: throwing, error: throwing };
  const { address } = await rig.serveAll(withRecovery({ ...echo, say: rejecting } as EchoHandlers, { logger }));
  assert.equal((await call(rig.client(address), "say")).code, status.INTERNAL);
});

test("handlers and options are checked, and the error names what is wrong", () => {
  const wrap = withRecovery as (handlers?: unknown, options?: unknown) => unknown;
  const none = () => {};
  for (const [handlers, options, message] of [
    [undefined, {}, /^withRecovery: the handlers must be an object, got nothing$/],
    ["echo", {}, /^withRecovery: the handlers must be an object, got a string$/],
    [echo, { logger: {} }, /^withRecovery: logger must have the functions debug, info, warn, error, got an object$/],
    [echo, { logger: { debug: none, info: none, warn: none } }, /^withRecovery: logger must have the functions/],
    [echo, { toStatus: "no" }, /^withRecovery: toStatus must be a function/],
  ] as const) {
    assert.throws(() => wrap(handlers, options), { name: "TypeError", message });
  }
});
