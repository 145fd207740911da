import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { ManualClock } from "@grpc-lb/core/testing";
import { endpointAt } from "../../testing/endpoint.ts";
import { DiscoveryError, type DiscoveryErrorCode } from "./discovery-error.ts";
import type { Snapshot } from "./snapshot.ts";
import { SnapshotStore } from "./snapshot-store.ts";

function start() {
  const clock = new ManualClock();
  const store = new SnapshotStore("service s", clock);
  const seen: Snapshot[] = [];
  const unsubscribe = store.subscribe((snapshot) => seen.push(snapshot));
  return { clock, store, seen, unsubscribe };
}
const failure = (message: string, code: DiscoveryErrorCode = "unavailable") => new DiscoveryError(code, message);
const show = ({ endpoints, error }: Snapshot) =>
  `${endpoints?.map(({ id }) => id).join() ?? "unknown"}${error ? `: ${error.message}` : ""}`;

test("a listener gets no call before the first snapshot, then the newest one at once and each newer one", () => {
  const { store, seen } = start();
  assert.deepEqual([seen.length, store.latest], [0, undefined]);
  store.endpoints.set(endpointAt("a"));
  assert.equal(seen.length, 0, "endpoints count with the next sync");
  store.sync();
  const late: Snapshot[] = [];
  store.subscribe((snapshot) => late.push(snapshot));
  assert.deepEqual(
    [seen, late].map((each) => each.map(show)),
    [["a"], ["a"]],
  );
  store.endpoints.set(endpointAt("b"));
  store.sync();
  assert.deepEqual(
    [seen, late].map((each) => each.map(show)),
    [
      ["a", "a,b"],
      ["a", "a,b"],
    ],
  );
  assert.equal(store.latest, seen[1]);
  assert.equal(seen[0]?.subject, "service s");
});

test("an empty first set is published", () => {
  const { store, seen } = start();
  store.sync();
  assert.deepEqual(seen[0]?.endpoints, []);
});

test("a snapshot that differs in nothing but its time is not published, but a later listener gets it", () => {
  const { clock, store, seen } = start();
  store.endpoints.set(endpointAt("a"));
  store.sync({ serviceConfig: "{}" });
  clock.advance(5);
  store.endpoints.set(endpointAt("a"));
  store.sync({ serviceConfig: "{}" });
  assert.equal(seen.length, 1);
  store.subscribe((snapshot) => seen.push(snapshot));
  assert.deepEqual(
    seen.map(({ lastSyncMs }) => lastSyncMs),
    [0, 5],
  );
});

test("each change of an error, a service config or its error is published once", () => {
  const { store, seen } = start();
  const changes: readonly (() => void)[] = [
    () => store.sync(),
    () => store.sync({ serviceConfig: "{}" }),
    () => store.sync({ serviceConfig: "{ }" }),
    () => store.sync({ serviceConfigError: failure("denied", "permissionDenied") }),
    () => store.sync({ serviceConfigError: failure("no Service", "notFound") }),
    () => store.sync({ problem: failure("no such port", "portNotFound") }),
    () => store.sync({ problem: failure("no such service", "notFound") }),
    () => store.fail(failure("connection refused")),
    () => store.fail(failure("connection reset")),
    () => store.sync(),
  ];
  for (const [n, change] of changes.entries()) {
    change();
    change();
    assert.equal(seen.length, n + 1, `change ${n}`);
  }
  assert.deepEqual(seen.map(({ error }) => error?.message).slice(4), [
    undefined,
    "no such port",
    "no such service",
    "connection refused",
    "connection reset",
    undefined,
  ]);
  assert.equal(seen[3]?.serviceConfigError?.message, "denied");
});

test("a failure leaves the last good endpoints, their time, service config and object; a sync clears it", () => {
  const { clock, store, seen } = start();
  store.fail(failure("away"));
  assert.deepEqual([seen[0]?.endpoints, seen[0]?.lastSyncMs], [undefined, undefined]);
  clock.advance(1);
  store.endpoints.set(endpointAt("a"));
  store.sync({ serviceConfig: "{}" });
  clock.advance(1);
  store.fail(failure("away again"));
  const [, good, failed] = seen;
  assert.equal(failed?.endpoints, good?.endpoints);
  assert.deepEqual([failed?.lastSyncMs, failed?.serviceConfig, failed?.error?.message], [1, "{}", "away again"]);
  store.sync({ serviceConfig: "{}" });
  assert.deepEqual([seen.map(show).at(-1), seen.length], ["a", 4]);
});

test("a failure does not publish changes of endpoints that were not synced", () => {
  const { store, seen } = start();
  store.endpoints.set(endpointAt("a"));
  store.sync();
  store.endpoints.delete("a");
  store.fail(failure("the list broke off"));
  assert.deepEqual(seen.map(show), ["a", "a: the list broke off"]);
});

test("a problem is published with the endpoints until the next sync, and a failure precedes it", () => {
  const { store, seen } = start();
  store.sync({ problem: failure("no such port", "portNotFound") });
  store.fail(failure("away"));
  store.sync({ problem: failure("no such port", "portNotFound") });
  store.sync();
  assert.deepEqual(seen.map(show), [": no such port", ": away", ": no such port", ""]);
});

test("update publishes what was learned while a failure goes on, and neither clears it nor counts as a sync", () => {
  const { clock, store, seen } = start();
  store.sync();
  store.fail(failure("the watch is away"));
  clock.advance(7);
  store.endpoints.set(endpointAt("a"));
  store.update({ serviceConfig: "{}" });
  assert.equal(show(seen.at(-1) as Snapshot), "a: the watch is away");
  assert.deepEqual([seen.at(-1)?.lastSyncMs, seen.at(-1)?.serviceConfig, store.stats.lastSyncAgeMs], [0, "{}", 7]);
});

test("stats count lists, watches, events, the age of the last sync, and errors by code", () => {
  const { clock, store } = start();
  const none = { notFound: 0, invalid: 0, permissionDenied: 0, unavailable: 0, portNotFound: 0 };
  assert.deepEqual(store.stats, { lastSyncAgeMs: undefined, lists: 0, watches: 0, events: 0, errors: none });
  clock.advance(4);
  store.lists += 1;
  store.watches += 2;
  store.events += 3;
  store.sync();
  clock.advance(9);
  assert.deepEqual(store.stats, { lastSyncAgeMs: 9, lists: 1, watches: 2, events: 3, errors: none });
});

test("each failure counts; a problem counts once a change", () => {
  const { store } = start();
  for (let n = 0; n < 3; n++) store.fail(failure("away"));
  const problem = failure("no such service", "notFound");
  for (let n = 0; n < 3; n++) {
    store.sync({ problem, serviceConfigError: failure("denied", "permissionDenied") });
    store.fail(failure("away"));
  }
  store.sync();
  store.sync({ problem });
  const { unavailable, notFound, permissionDenied } = store.stats.errors;
  assert.deepEqual({ unavailable, notFound, permissionDenied }, { unavailable: 6, notFound: 2, permissionDenied: 1 });
});

test("a listener that throws becomes a process warning, and the others get the snapshot", async () => {
  const { store, seen } = start();
  store.subscribe(() => {
    throw new Error("a listener's fault");
  });
  const after: Snapshot[] = [];
  store.subscribe((snapshot) => after.push(snapshot));
  const warned = once(process, "warning");
  store.sync();
  assert.match(String(await warned), /a listener's fault/);
  assert.deepEqual([seen.length, after.length], [1, 1]);
});

test("a value that is not an Error is a warning too", async () => {
  const { store } = start();
  store.subscribe(() => {
    throw "text";
  });
  const warned = once(process, "warning");
  store.sync();
  assert.match(String(await warned), /text/);
});

test("the same function may subscribe twice, and each subscription ends by itself", () => {
  const { store } = start();
  let count = 0;
  const listener = () => {
    count += 1;
  };
  const end = store.subscribe(listener);
  store.subscribe(listener);
  store.sync();
  end();
  end();
  store.fail(failure("away"));
  assert.equal(count, 3);
});

test("a listener that is unsubscribed by another one during a delivery gets nothing", () => {
  const store = new SnapshotStore("s", new ManualClock());
  const seen: string[] = [];
  const ends: (() => void)[] = [];
  store.subscribe(() => ends[0]?.());
  ends.push(store.subscribe(() => void seen.push("second")));
  store.subscribe(() => void seen.push("third"));
  store.sync();
  assert.deepEqual(seen, ["third"]);
});

test("when a listener causes a newer snapshot, all get it, and none gets the older one after it", () => {
  const store = new SnapshotStore("s", new ManualClock());
  const seen: string[] = [];
  store.subscribe((snapshot) => seen.push(`first ${show(snapshot)}`));
  store.subscribe((snapshot) => {
    seen.push(`second ${show(snapshot)}`);
    if (!snapshot.error) store.fail(failure("away"));
  });
  store.subscribe((snapshot) => seen.push(`third ${show(snapshot)}`));
  store.endpoints.set(endpointAt("a"));
  store.sync();
  assert.deepEqual(seen, ["first a", "second a", "first a: away", "second a: away", "third a: away"]);
});

test("a listener that syncs without a change does not keep the snapshot from the others", () => {
  const { clock, store } = start();
  store.subscribe(() => {
    clock.advance(1);
    store.sync();
  });
  const seen: Snapshot[] = [];
  store.subscribe((snapshot) => seen.push(snapshot));
  store.sync();
  assert.equal(seen.length, 1);
});

test("a listener that is added during a delivery gets the snapshot once", () => {
  const store = new SnapshotStore("s", new ManualClock());
  const seen: Snapshot[] = [];
  let isFirst = true;
  store.subscribe(() => {
    if (isFirst) store.subscribe((snapshot) => seen.push(snapshot));
    isFirst = false;
  });
  store.sync();
  assert.equal(seen.length, 1);
});

test("a more precise subject is in the next snapshot", () => {
  const { store, seen } = start();
  store.subject = "service default/s";
  store.sync();
  assert.equal(seen[0]?.subject, "service default/s");
});
