import assert from "node:assert/strict";
import { test } from "node:test";
import { InterceptingCall, type Interceptor } from "@grpc/grpc-js";
import { answers, call, kinds, Rig } from "../../testing/index.ts";
import { readsContext, watchClientCall } from "./client-call.ts";

function watch(name: string, seen: string[]): Interceptor {
  return (options, nextCall) =>
    watchClientCall(nextCall(options), {
      readsContext: false,
      onStart: () => seen.push(`${name} starts`),
      run: (start) => {
        seen.push(`${name} runs`);
        start();
      },
      onEnd: ({ code }) => seen.push(`${name} ends ${code}`),
    });
}

const ofAnotherLibrary: Interceptor = (options, nextCall) => new InterceptingCall(nextCall(options));

for (const kind of kinds) {
  test(`${kind}: the outermost interceptor starts first and ends last, alone, in a shared layer, and around one of another library`, async (t) => {
    const rig = new Rig(t);
    const address = await rig.serve();
    const seen: string[] = [];
    const [a, b, c] = ["a", "b", "c"].map((name) => watch(name, seen)) as [Interceptor, Interceptor, Interceptor];
    const starts = (names: readonly string[]) => names.flatMap((name) => [`${name} starts`, `${name} runs`]);
    const ends = (names: readonly string[]) => names.toReversed().map((name) => `${name} ends 0`);
    for (const [interceptors, names] of [
      [[a], ["a"]],
      [
        [a, b, c],
        ["a", "b", "c"],
      ],
      [
        [a, ofAnotherLibrary, b, c],
        ["a", "b", "c"],
      ],
      [
        [a, b, ofAnotherLibrary, ofAnotherLibrary],
        ["a", "b"],
      ],
    ] as const) {
      seen.length = 0;
      const { messages } = await call(rig.client(address, { interceptors: [...interceptors] }), kind);
      assert.deepEqual(messages, answers[kind]);
      assert.deepEqual(seen, [...starts(names), ...ends(names)]);
    }
  });
}

test("interceptors that follow each other share one layer", async (t) => {
  const rig = new Rig(t);
  const layers = new Set<unknown>();
  const note: Interceptor = (options, nextCall) => {
    const next = nextCall(options);
    layers.add(next);
    return next as InterceptingCall;
  };
  const seen: string[] = [];
  const interceptors = [note, watch("a", seen), note, watch("b", seen)];
  assert.equal((await call(rig.client(await rig.serve(), { interceptors }), "say")).code, 0);
  assert.equal(layers.size, 1);
});

test("a layer reads the active context if one of its interceptors does, or one of another library is below", async (t) => {
  const rig = new Rig(t);
  const found: boolean[] = [];
  const inspect: Interceptor = (options, nextCall) => {
    const next = nextCall(options);
    found.push(readsContext(next));
    return watchClientCall(next, { readsContext: false });
  };
  const reading: Interceptor = (options, nextCall) => watchClientCall(nextCall(options), { readsContext: true });
  const address = await rig.serve();
  for (const interceptors of [
    [inspect, inspect],
    [inspect, reading, inspect],
    [inspect, ofAnotherLibrary],
  ]) {
    assert.equal((await call(rig.client(address, { interceptors }), "say")).code, 0);
  }
  assert.deepEqual(found, [false, false, false, true, true]);
});
