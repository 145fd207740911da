import assert from "node:assert/strict";
import { test } from "node:test";
import { assertNothingLeft, ManualClock } from "@grpc-lb/core/testing";
import { endpointAt, FakeSource } from "../testing/fake-source.ts";
import { settled } from "../testing/rig.ts";
import { SharedSources } from "./shared-sources.ts";

function open(t: { after(end: () => Promise<void>): void }) {
  const sources = new SharedSources<FakeSource>({ clock: new ManualClock() });
  const made: FakeSource[] = [];
  const create = () => {
    made.push(new FakeSource());
    return made.at(-1) as FakeSource;
  };
  t.after(assertNothingLeft);
  return { sources, made, get: (key = "default/server") => sources.get(key, create) };
}

test("row 15: who asks for the same key shares, who asks for another does not", async (t) => {
  const { sources, made, get } = open(t);
  assert.equal(get("a"), get("a"));
  assert.notEqual(get("a"), get("b"));
  assert.deepEqual([sources.size, made.length, sources.inUse], [2, 2, []]);
});

test("row 22: a source is forgotten when its last subscriber has gone and its watch has ended", async (t) => {
  const { sources, get } = open(t);
  const [first, second] = [() => {}, () => {}];
  get().subscribe(first);
  get().subscribe(second);
  await get().unsubscribe(first);
  assert.deepEqual([sources.size, sources.inUse.map(([key]) => key)], [1, ["default/server"]]);
  const left = get().unsubscribe(second);
  assert.deepEqual([sources.size, sources.inUse], [1, []], "the watch is ending");
  await left;
  assert.equal(sources.size, 0);
});

test("row 15: who comes while the watch is ending shares with who comes after, and only the last end counts", async (t) => {
  const { sources, made, get } = open(t);
  const listeners = [() => {}, () => {}, () => {}];
  const [first, second, third] = listeners as [() => void, () => void, () => void];
  const shared = get();
  shared.subscribe(first);
  await settled();
  const left = shared.unsubscribe(first);
  get().subscribe(second);
  await left;
  await settled();
  get().subscribe(third);
  made[0]?.setEndpoints([endpointAt(1)]);
  assert.deepEqual([get() === shared, made.length, shared.subscribers, made[0]?.openWatches], [true, 1, 2, 1]);
  // All go and one comes, within one tick: ends that overlap.
  const ends = [shared.unsubscribe(second), shared.unsubscribe(third)];
  get().subscribe(first);
  ends.push(shared.unsubscribe(first));
  get().subscribe(second);
  await Promise.all(ends);
  assert.deepEqual([get() === shared, sources.size], [true, 1]);
  await shared.unsubscribe(second);
  assert.deepEqual([sources.size, made[0]?.openWatches], [0, 0]);
});

test("row 15: a watch that is slow to end keeps its source, whatever began and ended meanwhile", async (t) => {
  const gates: PromiseWithResolvers<void>[] = [];
  class SlowSource extends FakeSource {
    override async *watch(signal?: AbortSignal) {
      const gate = Promise.withResolvers<void>();
      gates.push(gate);
      yield* super.watch(signal);
      await gate.promise;
    }
  }
  const source = new SlowSource();
  const sources = new SharedSources({ clock: new ManualClock() });
  const [first, second] = [() => {}, () => {}];
  const shared = sources.get("a", () => source);
  shared.subscribe(first);
  const slow = shared.unsubscribe(first);
  shared.subscribe(second);
  const quick = shared.unsubscribe(second);
  gates[1]?.resolve();
  await quick;
  assert.equal(
    sources.get("a", () => source),
    shared,
  );
  gates[0]?.resolve();
  await slow;
  assert.equal(sources.size, 0);
  t.after(assertNothingLeft);
});
