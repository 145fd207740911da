import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "@grpc-lb/core/testing";
import { FakeApiServer, type SliceOptions, service, slice } from "../../testing/index.ts";
import { DiscoveryError } from "../core/discovery-error.ts";
import { Latest } from "../core/latest.ts";
import type { Snapshot } from "../core/snapshot.ts";
import type { ApiAccess } from "./api.ts";
import type { EndpointSlice, Service } from "./endpoint-slice.ts";
import type { FeedView } from "./feed-views.ts";
import { ServiceFeed } from "./service-feed.ts";
import { ServiceView } from "./service-view.ts";

/** An access without an end, so that the feed's own loop tells it nothing, and a test can. */
const access: ApiAccess = {
  server: new URL("http://127.0.0.1:1"),
  namespace: "default",
  credentials: () => new Promise<never>(() => {}),
};
const create = (options: { readonly access?: ApiAccess } = {}) =>
  new ServiceFeed({
    access: options.access ?? access,
    namespace: "default",
    service: "s",
    clock: new ManualClock(),
    random: () => 0.5,
    idleDeadlineMs: 100_000,
  });

let version = 0;
/** A slice in a state of its own. */
function at(name: string, options: Partial<SliceOptions> = {}): EndpointSlice {
  const made = slice({ service: "s", name, addresses: [`10.0.0.${name}`], ...options });
  version += 1;
  return { ...made, metadata: { ...made.metadata, resourceVersion: String(version) } };
}

/** Keeps what it is told; what is `poison` it cannot take. */
class Recorder implements FeedView {
  readonly names = new Set<string>();
  readonly services: (Service | undefined)[] = [];
  settled = 0;
  poison: string | undefined;
  readonly isPuzzled = false;

  onSlice({ metadata }: EndpointSlice): void {
    if (metadata.name === this.poison) throw new Error(`no taste for ${metadata.name}`);
    this.names.add(metadata.name);
  }
  onSliceGone(name: string): void {
    if (name === this.poison) throw new Error(`no end for ${name}`);
    this.names.delete(name);
  }
  onService(service: Service | undefined): void {
    this.services.push(service);
  }
  onSettled(): void {
    this.settled += 1;
    if (this.poison === "settled") throw new Error("no rest");
  }
}

/** A feed with two views, of which the first is the one that fails. */
async function watched(run: (feed: ServiceFeed, bad: Recorder, good: Recorder) => void): Promise<void> {
  const feed = create();
  const [bad, good] = [new Recorder(), new Recorder()];
  feed.join(bad);
  feed.join(good);
  try {
    run(feed, bad, good);
  } finally {
    await Promise.all([feed.leave(bad), feed.leave(good)]);
  }
}

for (const [known, listed, isSuspicious] of [
  [0, 0, false],
  [1, 0, false],
  [2, 2, false],
  [2, 1, true],
  [2, 0, true],
  [3, 2, false],
  [3, 1, true],
  [100, 51, false],
  [100, 50, true],
] as const) {
  test(`row 17: a list of ${listed} where ${known} are known is ${isSuspicious ? "" : "not "}suspicious`, () => {
    const feed = create();
    const of = (count: number) => {
      const addresses = Array.from({ length: count }, (_, i) => `10.0.0.${i}`);
      return [at("1", { addresses: addresses.slice(0, 1) }), at("2", { addresses: addresses.slice(1) })];
    };
    feed.replace(of(known));
    assert.equal(feed.isSuspicious(of(listed)), isSuspicious);
  });
}

test("a slice that one view cannot take is not lost for the others, is thrown to the loop, and told again by the next list", () =>
  watched((feed, bad, good) => {
    feed.replace([at("1")]);
    bad.poison = "2";
    const two = at("2");
    assert.throws(() => feed.apply("ADDED", two), /no taste for 2/);
    assert.deepEqual([[...bad.names], [...good.names]], [["1"], ["1", "2"]]);
    bad.poison = undefined;
    feed.replace([two]); // the same version as before
    assert.deepEqual([[...bad.names], [...good.names]], [["2"], ["2"]]);
    feed.apply("MODIFIED", at("2"));
  }));

test("in a list, a slice that one view cannot take keeps neither the other slices nor the other views from it", () =>
  watched((feed, bad, good) => {
    bad.poison = "1";
    assert.throws(() => feed.replace([at("1"), at("2")]), /no taste for 1/);
    assert.deepEqual([[...bad.names], [...good.names]], [["2"], ["1", "2"]]);
    assert.throws(() => feed.replace([at("1"), at("3")]), /no taste for 1/);
    assert.deepEqual([[...bad.names], [...good.names]], [["3"], ["1", "3"]]);
  }));

test("a slice's end that one view cannot take is told again by the next list", () =>
  watched((feed, bad, good) => {
    const one = at("1");
    feed.replace([one]);
    bad.poison = "1";
    assert.throws(() => feed.apply("DELETED", one), /no end for 1/);
    assert.deepEqual([[...bad.names], [...good.names]], [["1"], []]);
    bad.poison = undefined;
    feed.replace([]);
    assert.deepEqual([...bad.names], []);
  }));

test("a view that joins and cannot take a slice is told again by the next list, which the next event calls for", async () => {
  const feed = create();
  const one = at("1");
  feed.replace([one]);
  const bad = new Recorder();
  bad.poison = "1";
  feed.join(bad);
  bad.poison = undefined;
  assert.throws(() => feed.apply("ADDED", at("2")), /no taste for 1/);
  assert.deepEqual([...bad.names], ["2"]);
  feed.replace([one]);
  assert.deepEqual([...bad.names], ["1"]);
  const another = new Recorder();
  another.poison = "1";
  feed.join(another);
  another.poison = undefined;
  feed.replace([one]); // by itself, it makes up for what there was
  assert.deepEqual([...another.names], ["1"]);
  await Promise.all([feed.leave(bad), feed.leave(another)]);
});

test("a view that fails when things settle does not keep the news from the others", () =>
  watched((feed, bad, good) => {
    feed.replace([at("1")]);
    const { settled } = good;
    bad.poison = "settled";
    feed.onHeard();
    feed.onFailure(new DiscoveryError("unavailable", "gone"));
    assert.equal(good.settled, settled + 2);
  }));

test("a port that became unknown counts once for each view, not once for each event", async () => {
  const feed = create();
  const views = [1, 2].map(
    () =>
      new ServiceView(
        feed,
        { subject: "service default/s", port: { t: "name", name: "grpc" }, preferredFamily: "IPv4" },
        new Latest<Snapshot>(),
      ),
  );
  for (const view of views) feed.join(view);
  const tell = (port: string) => {
    feed.apply("MODIFIED", at("1", { ports: [{ name: port, port: 1 }] }));
    feed.onHeard();
  };
  feed.replace([]);
  feed.onLate(); // the Service cannot be read here
  const counted: number[] = [];
  for (const port of ["grpc", "http", "http", "web", "grpc", "grpc", "http"]) {
    tell(port);
    counted.push(feed.stats.errors.portNotFound);
  }
  assert.deepEqual(counted, [0, 2, 2, 2, 2, 2, 4]);
  await Promise.all(views.map((view) => feed.leave(view)));
});

test("a Service that turns out not to exist counts once, however often that is heard, and again after it was there", async () => {
  const notFound = new DiscoveryError("unavailable", "404 Not Found", { status: 404 });
  const feed = create({ access: { ...access, credentials: () => Promise.reject(notFound) } });
  const view = new Recorder();
  feed.join(view);
  feed.replace([]);
  for (const want of [1, 2]) {
    for (let n = 0; n < 3; n++) {
      feed.refresh();
      for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve));
      feed.onHeard();
    }
    assert.deepEqual([feed.error?.code, feed.stats.errors.notFound], ["notFound", want]);
    const one = at("1");
    feed.apply("ADDED", one);
    feed.onHeard();
    assert.equal(feed.error, undefined);
    feed.apply("DELETED", one);
  }
  await feed.leave(view);
});

test("row 22: who leaves during a reading of the Service is told nothing more, and who comes then has it read anew", async (t) => {
  const api = await FakeApiServer.start();
  t.after(() => api.close());
  api.putService(service({ name: "s" }));
  const feed = create({ access: api.access });
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  for (let n = 1; n <= 6; n++) {
    const [first, second] = [new Recorder(), new Recorder()];
    api.freeze("get");
    feed.join(first);
    await api.until(({ get }) => get === 2 * n - 1);
    const leaving = feed.leave(first);
    feed.join(second);
    if (n % 2) api.thaw(); // the old answer comes, or never does
    const { settled, services } = first;
    await leaving;
    await api.until(({ get }) => get === 2 * n);
    assert.equal(second.services.at(-1), undefined, n % 2 ? "not read yet" : "not from the old one");
    api.thaw();
    for (let turns = 0; turns < 500 && !second.services.at(-1); turns++) await turn();
    assert.equal(second.services.at(-1)?.spec?.ports?.[0]?.port, 80);
    assert.deepEqual([first.settled, first.services], [settled, services]);
    await feed.leave(second);
    assert.deepEqual([feed.reader.service, feed.isSynced], [undefined, false]);
  }
});
