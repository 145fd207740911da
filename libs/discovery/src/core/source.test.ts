import assert from "node:assert/strict";
import { test } from "node:test";
import type { Context } from "@grpc-lb/core";
import { assertNothingLeft, ManualClock, turn } from "@grpc-lb/core/testing";
import { sourceIn } from "../../testing/context.ts";
import { endpointAt } from "../../testing/endpoint.ts";
import { DiscoveryError } from "./discovery-error.ts";
import type { Snapshot } from "./snapshot.ts";
import type { SnapshotStore } from "./snapshot-store.ts";
import { type Source, type SourceDefinition, type Subscription, untilAborted } from "./source.ts";

let count = 0;

interface Run {
  readonly store: SnapshotStore;
  readonly signal: AbortSignal;
  /** Makes `start` throw. */
  fail(cause: unknown): void;
  /** Makes `start` return. */
  end(): void;
}

function begin(t: { after(end: () => Promise<void>): void }, more: Partial<SourceDefinition & Context> = {}) {
  const clock = new ManualClock();
  const runs: Run[] = [];
  let open = 0;
  const define = (own: Partial<SourceDefinition & Context> = {}): Source =>
    sourceIn((definition: SourceDefinition) => definition, {
      subject: "service s",
      key,
      clock,
      random: () => 0.5,
      async start(store, signal) {
        open += 1;
        const { promise, resolve, reject } = Promise.withResolvers<void>();
        runs.push({ store, signal, fail: reject, end: resolve });
        void untilAborted(signal).then(resolve);
        await promise.finally(() => {
          open -= 1;
        });
      },
      ...more,
      ...own,
    });
  const key = `test ${++count}`;
  const source = define();
  const subscriptions: Subscription[] = [];
  const listen = (from = source, then: (snapshot: Snapshot) => void = () => {}) => {
    const seen: string[] = [];
    const subscription = from.subscribe((snapshot) => {
      const ids = snapshot.endpoints?.map(({ id }) => id).join() ?? "unknown";
      seen.push(snapshot.error ? `${ids}: ${snapshot.error.message}` : ids);
      then(snapshot);
    });
    subscriptions.push(subscription);
    return { seen, close: () => subscription.close() };
  };
  t.after(async () => {
    await Promise.all(subscriptions.map((each) => each.close()));
    assert.deepEqual([open, clock.sleeping], [0, 0], "runs and waits that are left");
    await assertNothingLeft();
  });
  const learn = (...ids: readonly string[]) => {
    const run = runs.at(-1);
    run?.store.endpoints.replaceAll(ids.map((id) => endpointAt(id)));
    run?.store.sync();
  };
  return { clock, define, source, runs, listen, learn, open: () => open };
}

test("any number of subscribers share a run, which ends with the last and begins again with the next", async (t) => {
  const { runs, listen, learn, open } = begin(t);
  const listeners = Array.from({ length: 100 }, () => listen());
  learn("a");
  const late = listen();
  for (const { seen } of [...listeners, late]) assert.deepEqual(seen, ["a"]);
  assert.equal(runs.length, 1);
  for (const { close } of listeners) await close();
  assert.equal(open(), 1);
  await late.close();
  assert.equal(open(), 0, "close resolves when the run has ended");
  listen();
  assert.equal(runs.length, 2);
});

test("sources of the same key and clock share a run; those of another key or clock do not", async (t) => {
  const { define, runs, listen } = begin(t);
  listen(define());
  listen(define());
  assert.equal(runs.length, 1);
  listen(define({ key: `test ${++count}` }));
  listen(define({ clock: new ManualClock() }));
  assert.equal(runs.length, 3);
});

test("a subscription that is closed twice ends one use", async (t) => {
  const { listen, open } = begin(t);
  const [one] = [listen(), listen()];
  await Promise.all([one.close(), one.close()]);
  assert.equal(open(), 1);
});

test("a listener gets nothing after close", async (t) => {
  const { listen, learn } = begin(t);
  const [one, two] = [listen(), listen()];
  void one.close();
  learn("a");
  assert.deepEqual([one.seen, two.seen], [[], ["a"]]);
});

test("a subscriber that starts after the end does not get the old snapshot, also while the old run is ending", async (t) => {
  const { runs, listen, learn } = begin(t);
  const first = listen();
  learn("a");
  const closed = first.close();
  const second = listen();
  assert.equal(runs.length, 2);
  await closed;
  learn("b");
  assert.deepEqual([first.seen, second.seen], [["a"], ["b"]]);
});

test("a listener that closes as the last and subscribes again during a delivery gets nothing old", async (t) => {
  const { source, runs, listen, learn } = begin(t);
  const back: string[] = [];
  const one = listen(source, () => {
    void one.close();
    void two.close();
    source.subscribe(() => back.push("old")).close();
  });
  const two = listen();
  learn("a");
  assert.deepEqual([one.seen, two.seen, back, runs.length], [["a"], [], [], 2]);
});

test("a fetch that fails is a server's fault, and a TypeError of the code is not", async (t) => {
  for (const [cause, code] of [
    [new TypeError("fetch failed", { cause: new Error("connect ECONNREFUSED") }), "unavailable"],
    [new TypeError("x is not a function"), "invalid"],
  ] as const) {
    const { clock, define, runs } = begin(t);
    const codes: (string | undefined)[] = [];
    const subscription = define().subscribe(({ error }) => codes.push((error as DiscoveryError | undefined)?.code));
    runs[0]?.fail(cause);
    await clock.asleep();
    assert.deepEqual(codes, [code], cause.message);
    await subscription.close();
  }
});

test("an exception of start is an error with nothing known, and start is called again", async (t) => {
  const { clock, runs, listen, learn } = begin(t);
  const { seen } = listen();
  runs[0]?.fail(new TypeError("a fault"));
  await clock.asleep();
  assert.deepEqual(seen, ["unknown: service s: a fault"]);
  clock.advance(100);
  await turn();
  assert.equal(runs.length, 2);
  learn("a");
  assert.deepEqual(seen.slice(1), ["a"]);
});

test("good endpoints outlive every exception of start, and the next run's set replaces them as a whole", async (t) => {
  const { clock, runs, listen, learn } = begin(t);
  const { seen } = listen();
  learn("a");
  const error = new DiscoveryError("permissionDenied", "no right");
  for (const cause of [error, "text", undefined, Object.create(null)]) {
    runs.at(-1)?.fail(cause);
    await clock.asleep();
    clock.advance(30_000);
    await turn();
  }
  assert.deepEqual(
    seen.map((each) => each.split(":")[0]),
    ["a", "a", "a", "a", "a"],
  );
  assert.equal(seen[1], "a: no right", "an error of discovery is published as it is");
  learn("b");
  assert.equal(seen.at(-1), "b");
});

test("start may throw before its first await, and an exception after the last subscriber has ended is ignored", async (t) => {
  const { clock, listen, source } = begin(t, {
    start() {
      throw new Error("no folder");
    },
  });
  const one = listen();
  await turn();
  assert.deepEqual(one.seen, ["unknown: service s: no folder"]);
  assert.equal(source.stats.errors.unavailable, 1);
  await one.close();
  assert.equal(clock.sleeping, 0, "close ends the pause");
});

test("exceptions in a row pause longer and longer; a run that was in sync for a second pauses as after the first", async (t) => {
  const { clock, runs, listen, learn } = begin(t);
  listen();
  for (const pauseMs of [100, 200, 400, 800]) {
    const { length } = runs;
    runs.at(-1)?.fail(new Error("a fault"));
    await clock.asleep();
    clock.advance(pauseMs - 1);
    await turn();
    assert.equal(runs.length, length);
    clock.advance(1);
    await turn();
    assert.equal(runs.length, length + 1);
  }
  clock.advance(60_000);
  runs.at(-1)?.fail(new Error("a fault"));
  await clock.asleep();
  let { length } = runs;
  clock.advance(1_499);
  await turn();
  assert.equal(runs.length, length, "a run that was never in sync does not count, however long it was");
  clock.advance(1);
  await turn();
  learn("a");
  clock.advance(1_000);
  runs.at(-1)?.fail(new Error("a fault"));
  await clock.asleep();
  ({ length } = runs);
  clock.advance(100);
  await turn();
  assert.equal(runs.length, length + 1);
});

test("a start that returns early is not called again; what it published stays, and close resolves", async (t) => {
  const { clock, runs, listen, learn } = begin(t);
  const one = listen();
  learn("a");
  runs[0]?.end();
  await turn();
  assert.deepEqual([listen().seen, runs.length, clock.sleeping], [["a"], 1, 0]);
  await one.close();
});

test("stats are zero before the start, follow the run, and stay after its end", async (t) => {
  const { clock, source, runs, listen, learn } = begin(t);
  assert.deepEqual([source.stats.lastSyncAgeMs, source.stats.lists, source.subject], [undefined, 0, "service s"]);
  const one = listen();
  learn("a");
  const [run] = runs;
  if (run) run.store.lists += 1;
  await one.close();
  clock.advance(5);
  assert.deepEqual([source.stats.lastSyncAgeMs, source.stats.lists], [5, 1]);
});

test("a reader of watch keeps the process alive, unless the source is in the background; a subscription does not", async (t) => {
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
  const { define, listen, learn } = begin(t);
  listen();
  learn("a");
  for (const [background, want] of [
    [undefined, 1],
    [false, 1],
    [true, 0],
  ] as const) {
    const before = timers();
    const reader = define({ background }).watch();
    await reader.next();
    assert.equal(timers() - before, want);
    await reader.return?.();
  }
});

test("watch is the same as an iterator: it starts with the first next, and break ends the run", async (t) => {
  const { source, runs, learn, open } = begin(t);
  source.watch();
  assert.equal(runs.length, 0);
  queueMicrotask(() => learn("a"));
  for await (const { endpoints } of source.watch()) {
    assert.deepEqual(
      endpoints?.map(({ id }) => id),
      ["a"],
    );
    break;
  }
  assert.equal(open(), 0);
});
