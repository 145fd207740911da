import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { afterEach, test } from "node:test";
import { createRandom, type Random } from "@grpc-lb/core";
import { assertNothingLeft, ManualClock, turn, until } from "@grpc-lb/core/testing";
import { FakeApiServer, slice } from "../../testing/index.ts";
import type { DiscoveryError } from "../core/discovery-error.ts";
import { runWithRestarts } from "../core/run-with-restarts.ts";
import { ApiClient } from "./api-client.ts";
import { type Change, ListWatch, type ListWatchReceiver } from "./list-watch.ts";
import { type EndpointSlice, readEndpointSlice } from "./reader.ts";

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
  await assertNothingLeft();
});

/** Resolves when `holds` returns true. Calls `each` before every turn of the event loop. */
async function turns(holds: () => boolean, each = () => {}): Promise<void> {
  const check = () => {
    if (holds()) return true;
    each();
    return false;
  };
  await until(check, String(holds));
}

/** A manual clock that records each requested wait. `backoffs` leaves out the waits of fixed length. */
class LoggingClock extends ManualClock {
  readonly waits: number[] = [];
  override sleep(ms: number, signal?: AbortSignal): Promise<void> {
    this.waits.push(ms);
    return super.sleep(ms, signal);
  }
  get backoffs(): readonly number[] {
    return this.waits.filter((ms) => ![1_000, 15_000, 100_000].includes(ms));
  }
}

/** Records each report of a list-and-watch as a word. */
class Recorder implements ListWatchReceiver<EndpointSlice> {
  readonly seen: string[] = [];
  readonly errors: DiscoveryError[] = [];
  readonly names = new Set<string>();

  count(word: string): number {
    return this.seen.filter((one) => one.startsWith(word)).length;
  }
  async until(word: string, times = 1): Promise<void> {
    await until(() => this.count(word) >= times, `${times} x ${word}; got ${this.seen.join(", ")}`);
    await turn();
  }
  needsConfirmation(items: readonly EndpointSlice[], before?: readonly EndpointSlice[]): boolean {
    const isShort = this.names.size >= 2 && items.length <= this.names.size / 2;
    return isShort && !(before && items.length >= before.length);
  }
  onList(items: readonly EndpointSlice[]): void {
    this.names.clear();
    for (const { name } of items) this.names.add(name);
    this.seen.push(`replace ${items.length}`, "received");
  }
  onChanges(changes: readonly Change<EndpointSlice>[]): void {
    for (const change of changes) this.onChange(change);
    this.seen.push("received");
  }
  onChange({ type, object: { name } }: Change<EndpointSlice>): void {
    if (type === "DELETED") this.names.delete(name);
    else this.names.add(name);
    this.seen.push(`${type} ${name}`);
  }
  onFailure(error: DiscoveryError): DiscoveryError {
    this.errors.push(error);
    this.seen.push(`failure ${error.status ?? ""}`);
    return error;
  }
  onWatch(): void {
    this.seen.push("watch");
  }
}

const put = (api: FakeApiServer, ...names: string[]) =>
  api.putSlice(...names.map((name) => slice({ service: "s", name, addresses: ["10.0.0.1"] })));

async function start(options: { random?: Random; before?: (api: FakeApiServer) => void } = {}) {
  const api = await FakeApiServer.start();
  put(api, "a");
  options.before?.(api);
  const clock = new LoggingClock();
  const handler = new Recorder();
  const client = new ApiClient(api.access, clock);
  const random = options.random ?? (() => 0.5);
  const loop = new ListWatch<EndpointSlice>(
    {
      api: client,
      path: "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
      selector: `labelSelector=${encodeURIComponent("kubernetes.io/service-name=s")}`,
      listKind: "EndpointSliceList",
      read: readEndpointSlice,
      subject: "endpointslices default/s",
      clock,
      random,
      idleDeadlineMs: 100_000,
    },
    handler,
  );
  const controller = new AbortController();
  const running = runWithRestarts(
    {
      attempt: (onHealthy, signal) => loop.attempt(onHealthy, signal),
      onFailure: (cause) => handler.onFailure(cause as DiscoveryError),
      clock,
      random,
    },
    controller.signal,
  );
  cleanups.push(async () => {
    controller.abort();
    await running;
    client.close();
    await turn();
    assert.equal(clock.sleeping, 0, "waits left");
    assert.equal(getEventListeners(controller.signal, "abort").length, 0, "listeners left");
    await api.close();
  });
  /** Resolves when a watch is open and the client has received its response. */
  const watching = async () => {
    const settling = () => clock.waits.filter((ms) => ms === 1_000).length;
    await turns(() => api.counts.openWatches === 1 && settling() >= api.counts.acceptedWatches);
  };
  return { api, clock, handler, controller, running, watching };
}

test("a list sends selector, limit and version 0; a watch sends selector, bookmarks, timeout and the version of the list", async () => {
  const { api, watching } = await start();
  await watching();
  const [list, watch] = api.requests.map(({ verb, query }) => [verb, Object.fromEntries(query)]);
  assert.deepEqual(list, [
    "list",
    { labelSelector: "kubernetes.io/service-name=s", limit: "500", resourceVersion: "0" },
  ]);
  assert.deepEqual(watch, [
    "watch",
    {
      watch: "true",
      allowWatchBookmarks: "true",
      timeoutSeconds: "360",
      labelSelector: "kubernetes.io/service-name=s",
      resourceVersion: "1001",
    },
  ]);
});

test("a list of 1100 objects has three pages, and only the request for the first has a version", async () => {
  const names = Array.from({ length: 1_099 }, (_, i) => `b${i}`);
  const { api, handler } = await start({ before: (api) => put(api, ...names) });
  await handler.until("replace 1100");
  const pages = api.requests.filter(({ verb }) => verb === "list").map(({ query }) => query.get("resourceVersion"));
  assert.deepEqual(pages, ["0", null, null]);
});

test("events are delivered in order, and a bookmark advances the version", async () => {
  const { api, handler, watching } = await start();
  await watching();
  put(api, "b");
  put(api, "b");
  api.deleteSlice("a");
  await handler.until("DELETED");
  api.putSlice(slice({ service: "other", addresses: [] }));
  const received = handler.count("received");
  api.sendBookmark();
  await handler.until("received", received + 1);
  assert.deepEqual(
    handler.seen.filter((word) => /^[A-Z]/.test(word)),
    ["ADDED b", "MODIFIED b", "DELETED a"],
  );
  api.closeWatches();
  await handler.until("watch", 2);
  await watching();
  assert.equal(api.requests.at(-1)?.query.get("resourceVersion"), "1005");
});

test("after a regular end the watch resumes at once from the last version, without a list", async () => {
  const { api, handler, clock, watching } = await start();
  await watching();
  put(api, "b");
  await handler.until("ADDED b");
  api.closeWatches();
  await handler.until("watch", 2);
  await watching();
  assert.deepEqual([api.counts.list, api.counts.watch, clock.backoffs], [1, 2, []]);
  assert.equal(api.requests.at(-1)?.query.get("resourceVersion"), "1002");
  assert.equal(api.counts.maxInFlight, 1, "one request at a time");
});

test("watches that end at once are retried with a backoff of at most 3 s", async () => {
  const { api, handler, clock, watching } = await start();
  for (let n = 1; n <= 8; n++) {
    await handler.until("watch", n);
    await watching();
    api.closeWatches();
    await api.until(({ openWatches }) => openWatches === 0);
    await turn();
    await turn();
    clock.advance(0);
    await turns(
      () => !(handler.count("watch") === n),
      () => clock.advance(50),
    ); // in small steps: a watch that lasts a second resets the backoff
  }
  assert.deepEqual(clock.backoffs.slice(0, 6), [100, 200, 400, 800, 1_500, 1_500]);
  assert.equal(api.counts.list, 1);
});

test("a watch that lasted a second resets the backoff: after its end the next one starts at once", async () => {
  const { api, handler, clock, watching } = await start();
  for (let n = 1; n <= 5; n++) {
    await handler.until("watch", n);
    await watching();
    await turn();
    clock.advance(1_000);
    await turn();
    api.closeWatches();
    await api.until(({ openWatches }) => openWatches === 0);
  }
  await handler.until("watch", 6);
  assert.deepEqual(clock.backoffs, []);
});

test("a silent connection is closed after the idle deadline, and the watch resumes from the last version", async () => {
  const { api, handler, clock, watching } = await start();
  await watching();
  api.freeze();
  put(api, "b");
  await turn();
  clock.advance(99_999);
  await turn();
  assert.equal(handler.errors.length, 0);
  clock.advance(1);
  await handler.until("failure");
  assert.match(
    handler.errors[0]?.message ?? "",
    /^kubernetes: watch endpointslices default\/s: 127\.0\.0\.1:\d+: nothing heard for 100 s$/,
  );
  api.thaw();
  clock.advance(200);
  await handler.until("ADDED b");
  assert.equal(api.counts.list, 1);
});

test("after a silent connection a watch without events confirms nothing: a list does so when the watch has lasted a second", async () => {
  const { api, handler, clock, watching } = await start();
  await watching();
  api.freeze();
  clock.advance(100_000);
  await handler.until("failure");
  api.thaw();
  clock.advance(200);
  await handler.until("watch", 2);
  await watching();
  await turn();
  const received = handler.count("received");
  clock.advance(999);
  await turn();
  assert.deepEqual([api.counts.list, handler.count("received")], [1, received]);
  clock.advance(1);
  await handler.until("replace", 2);
  await handler.until("watch", 3);
  assert.deepEqual([api.counts.list, handler.errors.length], [2, 1]);
});

test("a watch that follows a list confirms nothing as long as it is silent", async () => {
  const { handler, clock, watching } = await start();
  await watching();
  const received = handler.count("received");
  clock.advance(1_000);
  await turn();
  assert.equal(handler.count("received"), received);
});

test("410 as an ERROR event causes a new list at once, and the old set stays until then", async () => {
  const { api, handler, clock, watching } = await start();
  await watching();
  put(api, "b");
  await handler.until("ADDED b");
  api.compact();
  api.closeWatches();
  await handler.until("replace", 1);
  await api.until(({ list }) => list === 1);
  // The resumed watch ends at once, so a backoff may precede the list.
  await turns(
    () => !(handler.count("replace") < 2),
    () => clock.advance(50),
  );
  await watching();
  assert.deepEqual([[...handler.names], handler.errors], [["a", "b"], []]);
  assert.equal(
    api.requests
      .filter(({ verb }) => verb === "list")
      .at(-1)
      ?.query.has("resourceVersion"),
    false,
  );
});

test("410 as a status causes a new list at once", async () => {
  const { api, handler, clock, watching } = await start();
  await watching();
  await turn();
  clock.advance(5_000);
  await turn();
  put(api, "b");
  api.refuse(410, { times: 1, verbs: ["watch"] });
  api.closeWatches();
  await handler.until("replace 2");
  assert.deepEqual([handler.errors, clock.backoffs], [[], []]);
});

test("a version newer than the server's, as after a restore of etcd, causes a new list", async () => {
  const { api, handler, clock, watching } = await start();
  await watching();
  api.sendText(`${JSON.stringify({ type: "BOOKMARK", object: { metadata: { resourceVersion: "999999" } } })}\n`);
  await handler.until("received", 2);
  api.closeWatches();
  await handler.until("failure 504");
  clock.advance(5_000);
  await handler.until("replace", 2);
});

test("an ERROR event with another code is reported, and the watch resumes after a backoff", async () => {
  const { api, handler, clock, watching } = await start();
  await watching();
  api.sendError(500, "etcdserver: leader changed");
  await handler.until("failure 500");
  assert.equal(
    handler.errors[0]?.message,
    "kubernetes: watch endpointslices default/s: 500: etcdserver: leader changed",
  );
  assert.deepEqual(clock.backoffs, [100]);
  put(api, "b");
  clock.advance(100);
  await handler.until("ADDED b");
  assert.equal(api.counts.list, 1);
});

for (const [object, words] of [
  [{}, "an error without a code or a message"],
  [null, "an error without a code or a message"],
  [{ code: 0, message: "too old" }, "too old"],
  [{ code: "410", message: "too old" }, "too old"],
] as const) {
  test(`an ERROR event of ${JSON.stringify(object)} is reported without a code, and a list follows after a backoff`, async () => {
    const { api, handler, clock, watching } = await start();
    await watching();
    api.sendText(`${JSON.stringify({ type: "ERROR", object })}\n`);
    await until(() => handler.errors.length === 1, "an error");
    const [error] = handler.errors;
    assert.equal(error?.message, `kubernetes: watch endpointslices default/s: ${words}`);
    assert.equal(error?.status, undefined);
    put(api, "b");
    clock.advance(100);
    await handler.until("replace", 2);
    assert.equal(api.counts.list, 2);
  });
}

test("during a network outage the backoff grows to at most 3 s, and afterwards the missed events are delivered", async () => {
  const { api, handler, clock, watching } = await start();
  await watching();
  await api.stop();
  for (let n = 1; n <= 8; n++) {
    await handler.until("failure", n);
    assert.equal(clock.sleeping, 1);
    clock.advance(4_000);
  }
  assert.deepEqual(clock.backoffs.slice(0, 7), [100, 200, 400, 800, 1_500, 1_500, 1_500]);
  await handler.until("failure", 9);
  put(api, "b");
  await api.start();
  clock.advance(4_000);
  await handler.until("ADDED b");
});

test("the jitter differs between two seeds, repeats for the same seed, and stays within its bounds", async () => {
  const waits: (readonly number[])[] = [];
  for (const seed of [1, 1, 2]) {
    const { api, handler, clock } = await start({ random: createRandom(seed), before: (api) => api.refuse(503) });
    for (let n = 1; n <= 8; n++) {
      await handler.until("failure 503", n);
      clock.advance(4_000);
    }
    waits.push(clock.backoffs.slice(0, 8));
    assert.equal(api.counts.maxInFlight, 1);
  }
  assert.deepEqual(waits[0], waits[1]);
  assert.notDeepEqual(waits[0], waits[2]);
  for (const [i, ms] of (waits[0] ?? []).entries()) {
    const bound = Math.min(200 * 2 ** i, 3_000);
    assert.ok(ms >= 0 && ms <= bound, `wait ${i} is ${ms}, bound ${bound}`);
  }
});

test("Retry-After is obeyed, with the jitter on top", async () => {
  const { api, handler, clock } = await start({
    before: (api) => api.refuse(429, { times: 1, retryAfterSeconds: 7 }),
  });
  await handler.until("failure 429");
  assert.deepEqual(clock.backoffs, [7_100]);
  clock.advance(7_000);
  await turn();
  assert.equal(api.counts.list, 1);
  clock.advance(100);
  await handler.until("replace 1");
});

test("an outage is over when a watch without events has lasted a second, and not when it was merely accepted", async () => {
  const { api, handler, clock, watching } = await start();
  await watching();
  api.sendError(500);
  await handler.until("failure 500");
  clock.advance(100);
  await handler.until("watch", 2);
  await watching();
  await turn();
  const received = handler.count("received");
  api.sendError(500);
  await handler.until("failure 500", 2);
  assert.equal(handler.count("received"), received, "a watch that is only accepted counts as received data");
  clock.advance(200);
  await handler.until("watch", 3);
  await watching();
  await turn();
  clock.advance(1_000);
  await handler.until("received", received + 1);
});

test("a list that shrinks sharply is requested again, and a truncated one is discarded", async () => {
  const { api, handler, clock, watching } = await start({ before: (api) => put(api, "b", "c", "d", "e") });
  await watching();
  await turn();
  clock.advance(5_000);
  await turn();
  api.compact();
  api.truncateNextList(1);
  api.closeWatches();
  await api.until(({ list }) => list === 2);
  await turns(
    () => !(api.counts.list < 3),
    () => clock.advance(100),
  );
  await handler.until("replace", 2);
  assert.deepEqual(
    handler.seen.filter((word) => word.startsWith("replace")),
    ["replace 5", "replace 5"],
  );
});

test("an event that is cut off at the end of a watch is ignored, and the next watch delivers it", async () => {
  const { api, handler, clock, watching } = await start();
  await watching();
  api.sendText('{"type":"ADDED","object":{"metadata":{"na');
  await turn();
  api.closeWatches();
  put(api, "b");
  await turns(
    () => !(handler.count("ADDED b") < 1),
    () => clock.advance(50),
  );
  assert.deepEqual(handler.errors, []);
});

test("events are decoded wherever their bytes are cut, also inside a character, and when several share a write", async () => {
  const { api, handler, watching } = await start({ before: (api) => api.cutInto(7) });
  await watching();
  const zone = "zürich-東京-🚀";
  api.batch(() => {
    for (const name of ["b", "c", "d"]) {
      api.putSlice(slice({ service: "s", name, addresses: [{ address: "10.0.0.1", zone }] }));
    }
  });
  await handler.until("ADDED d");
  const took: EndpointSlice[] = [];
  handler.onChange = (change) => {
    took.push(change.object);
    Recorder.prototype.onChange.call(handler, change);
  };
  api.putSlice(slice({ service: "s", name: "e", addresses: [{ address: "10.0.0.1", zone }] }));
  await handler.until("ADDED e");
  assert.equal(took[0]?.endpoints[0]?.zone, zone);
  assert.deepEqual(handler.errors, []);
});

test("a line that is not valid JSON is reported, and the watch resumes", async () => {
  const { api, handler, clock, watching } = await start();
  await watching();
  api.sendText("<html>\n");
  await handler.until("failure");
  assert.match(handler.errors[0]?.message ?? "", /watch endpointslices default\/s: .*not valid JSON/);
  put(api, "b");
  clock.advance(200);
  await handler.until("ADDED b");
});

test("an abort ends the loop in every state: listing, watching, waiting, stalled in the middle of a list", async () => {
  const states: [string, (api: FakeApiServer) => void, (api: FakeApiServer, handler: Recorder) => Promise<void>][] = [
    ["at once", () => {}, async () => {}],
    ["listing", (api) => api.freeze(), (api) => api.until(({ list }) => list === 1)],
    ["stalled", (api) => api.stallNext(1), (api) => api.until(({ list }) => list === 1)],
    ["watching", () => {}, (api) => api.until(({ openWatches }) => openWatches === 1)],
    ["waiting", (api) => api.refuse(503), (_, handler) => handler.until("failure")],
  ];
  for (const [name, before, reached] of states) {
    const { api, handler, controller, running, clock } = await start({ before });
    await reached(api, handler);
    controller.abort();
    await running;
    const reported = handler.seen.length;
    await turn();
    assert.deepEqual(
      [handler.seen.length, clock.sleeping, handler.errors.length],
      [reported, 0, name === "waiting" ? 1 : 0],
      name,
    );
  }
});

test("a denied list is retried less and less often: 10 to 60 times in ten minutes", async () => {
  const { api, clock, handler } = await start({
    random: () => 0.5,
    before: (api) => api.forbid("list", "endpointslices"),
  });
  await handler.until("failure");
  const untilMs = clock.now() + 600_000;
  await turns(
    () => clock.now() >= untilMs,
    () => clock.advance(500),
  );
  assert.ok(api.counts.list >= 10 && api.counts.list <= 60, `${api.counts.list} lists`);
});

test("after half an hour of successful watches a new list recovers events that were lost", async () => {
  const { api, clock, watching } = await start();
  for (let minute = 1; minute <= 30; minute++) {
    await watching();
    assert.equal(api.counts.list, 1, `after ${minute} minutes`);
    clock.advance(60_000);
    await turn();
    const { watch } = api.counts;
    api.closeWatches();
    await turns(() => api.counts.watch > watch);
  }
  assert.equal(api.counts.list, 2);
});

test("when the handler throws on an event, the earlier ones are applied, and a list after a backoff replaces the rest", async () => {
  const { api, handler, clock, watching } = await start();
  await watching();
  handler.onChange = (change) => {
    if (change.object.name === "c") throw new TypeError("cannot apply c");
    Recorder.prototype.onChange.call(handler, change);
  };
  api.batch(() => put(api, "b", "c", "d"));
  await handler.until("failure");
  assert.deepEqual([[...handler.names], clock.backoffs, api.counts.list], [["a", "b"], [100], 1]);
  const [error] = handler.errors;
  assert.deepEqual(
    [error?.code, error?.message],
    ["unavailable", "kubernetes: watch endpointslices default/s: cannot apply c"],
  );
  clock.advance(100);
  await handler.until("replace 4");
  await watching();
  assert.deepEqual([[...handler.names], api.counts.list], [["a", "b", "c", "d"], 2]);
});

test("when the handler throws on a list, the list is retried with a growing backoff, and no watch starts from it", async () => {
  const { api, handler, clock, watching } = await start({
    before: (api) => {
      api.freeze();
    },
  });
  const { onList } = handler;
  handler.onList = () => {
    throw new TypeError("cannot apply the list");
  };
  api.thaw();
  for (let n = 1; n <= 3; n++) {
    await handler.until("failure", n);
    assert.deepEqual([api.counts.list, api.counts.watch, handler.count("received")], [n, 0, 0]);
    clock.advance(4_000);
  }
  assert.deepEqual(clock.backoffs.slice(0, 3), [100, 200, 400]);
  await handler.until("failure", 4);
  handler.onList = onList;
  clock.advance(4_000);
  await handler.until("replace 1");
  await watching();
});

test("a list that shrinks sharply is requested again after a second, and not earlier", async () => {
  const { api, handler, clock, watching } = await start({ before: (api) => put(api, "b", "c", "d") });
  await watching();
  await turn();
  clock.advance(5_000);
  await turn();
  api.truncateNextList(1);
  api.compact();
  const waits = clock.waits.filter((ms) => ms === 1_000).length;
  api.refuse(410, { times: 1, verbs: ["watch"] });
  api.closeWatches();
  await api.until(({ list }) => list === 2);
  await turns(() => clock.waits.filter((ms) => ms === 1_000).length > waits);
  clock.advance(999);
  for (let n = 0; n < 50; n++) await turn();
  assert.deepEqual([api.counts.list, handler.count("replace")], [2, 1]);
  clock.advance(1);
  await handler.until("replace 4", 2);
  assert.equal(api.counts.list, 3);
});

test("a list that fails with 410, as when its continue token expired, restarts without a report", async () => {
  const names = Array.from({ length: 600 }, (_, i) => `b${i}`);
  const before = (api: FakeApiServer) => {
    put(api, ...names);
    api.refuse(410, { times: 1, verbs: ["list"] });
  };
  const { handler } = await start({ before });
  await handler.until("replace 601");
  assert.deepEqual(handler.errors, []);
});

test("a list that keeps failing with 410 is reported and retried with a backoff", async () => {
  const { api, handler, clock } = await start({ before: (api) => api.refuse(410, { verbs: ["list"] }) });
  for (let n = 1; n <= 3; n++) {
    await handler.until("failure 410", n);
    assert.equal(api.counts.list, n + 1);
    clock.advance(4_000);
  }
  assert.match(handler.errors[0]?.message ?? "", /^kubernetes: list endpointslices default\/s: 410 /);
  assert.deepEqual(clock.backoffs.slice(0, 3), [100, 200, 400]);
  api.accept();
  await handler.until("replace 1");
});

test("while watch and list fail with 410, the old set stays and the error is reported once, until a list succeeds", async () => {
  const { api, handler, clock, watching } = await start();
  await watching();
  await turn();
  clock.advance(5_000);
  await turn();
  api.refuse(410);
  api.closeWatches();
  // A backoff may precede each result; only the result matters here.
  const until = (word: string, times: number) =>
    turns(
      () => handler.count(word) >= times,
      () => clock.advance(10),
    );
  await until("failure 410", 1);
  assert.deepEqual([[...handler.names], api.counts.list, api.counts.watch], [["a"], 2, 2]);
  api.accept();
  await until("replace", 2);
  await watching();
  await turn();
  clock.advance(5_000);
  await turn();
  api.refuse(410, { times: 1 });
  api.closeWatches();
  await until("replace", 3);
  assert.deepEqual(
    handler.errors.map(({ message }) => message).slice(1),
    [],
    "after a successful list, one 410 is not reported",
  );
});

test("400 for a version that the server does not understand causes a new list", async () => {
  const { api, handler, clock, watching } = await start();
  await watching();
  api.refuse(400, { times: 1, verbs: ["watch"] });
  api.breakWatches();
  await handler.until("failure");
  clock.advance(100);
  await handler.until("failure 400");
  clock.advance(200);
  await handler.until("replace", 2);
});

test("a bookmark a minute keeps a watch without events open; the client ends it when the server does not do so in time", async () => {
  const { api, handler, clock, watching } = await start();
  await watching();
  for (let minute = 1; minute <= 180; minute++) {
    const [received, { watch }] = [handler.count("received"), api.counts];
    clock.advance(60_000);
    api.sendBookmark();
    if (minute % 7 === 0)
      await turns(() => api.counts.watch > watch); // 360 s, and one minute
    else await handler.until("received", received + 1);
    await watching();
  }
  assert.deepEqual([api.counts.watch, api.counts.list, handler.errors], [26, 6, []]);
});

test("a list that shrinks sharply is accepted when a second one confirms it, and not when that one is shorter still", async () => {
  const names = [..."bcdefghij"];
  for (const [counts, want] of [
    [[1, 1], "replace 1"],
    [[4, 4], "replace 4"],
    [[4, 1, 1], "replace 1"],
    [[4, 1, 10], "replace 10"],
    [[4, 5], "replace 5"],
    [[4, 6], "replace 6"],
    [[5, 4, 3, 2, 1], "replace 1"], // accepted after four confirmations
  ] as const) {
    const { api, handler, clock, watching } = await start({ before: (api) => put(api, ...names) });
    await watching();
    await turn();
    clock.advance(5_000);
    await turn();
    api.refuse(410, { times: 1, verbs: ["watch"] });
    api.closeWatches();
    for (const [i, count] of counts.entries()) {
      api.truncateNextList(count);
      assert.equal(handler.count("replace"), 1);
      await turns(
        () => api.counts.list >= i + 2,
        () => i > 0 && clock.advance(100),
      );
    }
    await handler.until("replace", 2);
    const last = handler.seen.filter((word) => word.startsWith("replace")).at(-1);
    assert.deepEqual([last, api.counts.list], [want, 1 + counts.length], `${counts}`);
  }
});

test("Retry-After inside an ERROR event is obeyed, with the jitter on top", async () => {
  const { api, handler, clock, watching } = await start();
  await watching();
  api.sendError(429, "too many requests", 7);
  await handler.until("failure 429");
  assert.deepEqual(clock.backoffs, [7_100]);
});

test("a successful watch resets the backoff of denials", async () => {
  const { api, handler, clock, watching } = await start({ before: (api) => api.refuse(403) });
  for (let n = 1; n <= 3; n++) {
    await handler.until("failure 403", n);
    if (n === 3) api.accept();
    clock.advance(30_000);
  }
  await watching();
  await turn();
  clock.advance(5_000);
  await turn();
  api.refuse(403);
  api.closeWatches();
  await handler.until("failure 403", 4);
  assert.deepEqual(
    clock.waits.filter((ms) => [500, 2_000].includes(ms)),
    [500, 2_000, 500],
  );
});

test("after an abort at the moment at which a watch has lasted a second, nothing is reported", async () => {
  const { clock, handler, controller, running, watching } = await start();
  await watching();
  const reported = handler.seen.length;
  clock.advance(1_000);
  controller.abort();
  await running;
  await turn();
  assert.deepEqual(handler.seen.slice(reported), []);
});
