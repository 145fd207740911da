import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { until } from "@grpc-lb/core/testing";
import { answers, call, type EchoHandlers, type Kind, kinds, type Outcome, Rig } from "../../testing/index.ts";
import { currentCall, runDetached } from "./call-scope.ts";
import { createClientDeadline, createServerDeadline } from "./deadline.ts";

/** The deadline that a call arrives with. */
const deadlineOf = ({ getDeadline }: { getDeadline(): unknown }): number => Number(getDeadline());

/** A server whose `say` calls a second one, which has these handlers. */
async function startChain(t: TestContext, kind: Kind, handlers: Partial<EchoHandlers>, marginMs = 0) {
  const rig = new Rig(t);
  const backend = rig.client(await rig.serve(handlers), { interceptors: [createClientDeadline({ marginMs })] });
  const seen: { outcome?: Outcome; signal?: AbortSignal | undefined } = {};
  const front = await rig.serve(
    {
      say: async (_call, respond) => {
        await null; // the scope survives it
        seen.signal = currentCall()?.signal;
        seen.outcome = await call(backend, kind, { options: { deadline: Number.POSITIVE_INFINITY } });
        respond(null, JSON.stringify(seen.outcome));
      },
    },
    { interceptors: [createServerDeadline()] },
  );
  return { client: rig.client(front), seen };
}

for (const kind of kinds) {
  test(`${kind}: an outgoing call has the deadline of the incoming one, minus the margin`, async (t) => {
    let arrived = 0;
    const handler = (
      stream: { getDeadline(): unknown; emit(event: "error", error: unknown): unknown },
      respond?: unknown,
    ) => {
      arrived = deadlineOf({ getDeadline: () => stream.getDeadline() });
      const error = { code: status.ABORTED, details: "seen" };
      if (typeof respond === "function") respond(error);
      else stream.emit("error", error);
    };
    const { client } = await startChain(t, kind, { [kind]: handler } as Partial<EchoHandlers>, 1_000);
    const deadline = Date.now() + 10_000;
    await call(client, "say", { options: { deadline } });
    assert.ok(Math.abs(arrived - (deadline - 1_000)) < 500, `${arrived - deadline} ms from the incoming deadline`);
  });

  test(`${kind}: when the client cancels, the outgoing call is cancelled, and the signal aborted`, async (t) => {
    let isStarted = false;
    let isCancelled = false;
    const handler = (stream: { on(event: "cancelled", listener: () => void): void }) => {
      isStarted = true;
      stream.on("cancelled", () => {
        isCancelled = true;
      });
    };
    const { client, seen } = await startChain(t, kind, { [kind]: handler } as Partial<EchoHandlers>);
    const { code } = await call(client, "say", {
      onStart: (started) => void until(() => isStarted, "the outgoing call").then(() => started.cancel()),
    });
    assert.equal(code, status.CANCELLED);
    await until(() => isCancelled, "the end of the outgoing call");
    await until(() => seen.outcome !== undefined, "the outcome");
    assert.equal(seen.outcome?.code, status.CANCELLED);
    assert.equal(seen.signal?.aborted, true);
  });

  test(`${kind}: a call of a server with deadlines answers as without`, async (t) => {
    const rig = new Rig(t);
    const client = rig.client(await rig.serve({}, { interceptors: [createServerDeadline()] }), {
      interceptors: [createClientDeadline()],
    });
    assert.deepEqual((await call(client, kind)).messages, answers[kind]);
  });
}

test("an earlier deadline of the outgoing call stays", async (t) => {
  const rig = new Rig(t);
  let arrived = 0;
  const back = await rig.serve({
    say: (incoming, respond) => {
      arrived = Number(incoming.getDeadline());
      respond(null, "");
    },
  });
  const backend = rig.client(back, { interceptors: [createClientDeadline()] });
  const own = Date.now() + 5_000;
  const front = await rig.serve(
    {
      say: async (_call, respond) => {
        await call(backend, "say", { options: { deadline: own } });
        respond(null, "");
      },
    },
    { interceptors: [createServerDeadline()] },
  );
  await call(rig.client(front), "say", { options: { deadline: Date.now() + 19_000 } });
  assert.ok(Math.abs(arrived - own) < 500);
});

test("an outgoing call whose time is over fails at once with DEADLINE_EXCEEDED", async (t) => {
  let calls = 0;
  const { client, seen } = await startChain(t, "say", { say: () => void calls++ }, 60_000);
  await call(client, "say");
  assert.equal(seen.outcome?.code, status.DEADLINE_EXCEEDED);
  assert.equal(calls, 0);
});

test("runDetached makes calls that outlive the incoming one", async (t) => {
  const rig = new Rig(t);
  const { promise: cancelled, resolve: onCancelled } = Promise.withResolvers<void>();
  const backend = rig.client(await rig.serve(), { interceptors: [createClientDeadline()] });
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  let isStarted = false;
  const front = await rig.serve(
    {
      say: (incoming) => {
        isStarted = true;
        incoming.on("cancelled", () => runDetached(() => void call(backend, "say").then(resolve)));
        incoming.on("cancelled", onCancelled);
      },
    },
    { interceptors: [createServerDeadline()] },
  );
  await call(rig.client(front), "say", {
    onStart: (started) => void until(() => isStarted, "the call").then(() => started.cancel()),
  });
  await cancelled;
  assert.equal((await promise).code, 0);
});

test("a call that arrives after its deadline does not reach the handler", async (t) => {
  const rig = new Rig(t);
  let calls = 0;
  const late = (definition: unknown, next: unknown) => {
    const call = next as { getDeadline(): number };
    call.getDeadline = () => Date.now() - 1;
    return createServerDeadline()(definition as never, call as never);
  };
  const address = await rig.serve({ say: () => void calls++ }, { interceptors: [late] });
  assert.equal((await call(rig.client(address), "say")).code, status.DEADLINE_EXCEEDED);
  assert.equal(calls, 0);
});

test("the signal of a call that was answered is not aborted", async (t) => {
  const rig = new Rig(t);
  let signal: AbortSignal | undefined;
  const address = await rig.serve(
    {
      say: (_call, respond) => {
        signal = currentCall()?.signal;
        respond(null, "");
      },
    },
    { interceptors: [createServerDeadline()] },
  );
  await call(rig.client(address), "say");
  assert.equal(signal?.aborted, false);
});

test("outside of a call there is no scope, and a margin must be a number >= 0", () => {
  assert.equal(currentCall(), undefined);
  assert.throws(() => createClientDeadline({ marginMs: -1 }), /createClientDeadline: marginMs must be a number >= 0/);
});
