import assert from "node:assert/strict";
import { test } from "node:test";
import { queryObjects } from "node:v8";
import { createRandom } from "@grpc-lb/core";
import { ManualClock, turn } from "@grpc-lb/core/testing";
import { type SlicePod, service, slice, slices } from "../../testing/index.ts";
import type { StoredEndpoint, StoredService, StoredSlice } from "../../testing/kubernetes/slices.ts";
import { DiscoveryError } from "../core/discovery-error.ts";
import type { Endpoint } from "../core/snapshot.ts";
import { SnapshotStore } from "../core/snapshot-store.ts";
import type { PortSelector } from "./port.ts";
import { PortView } from "./port-view.ts";
import { type EndpointSlice, readEndpointSlice, readService, type Service } from "./reader.ts";

/** A view of a service whose slices and Service a test sets, as the watch would. */
class Table {
  readonly #slices = new Map<string, EndpointSlice>();
  readonly #known = {
    slices: this.#slices,
    service: undefined as Service | undefined,
    notFoundError: new DiscoveryError("notFound", "there is no such Service") as DiscoveryError | undefined,
    serviceError: undefined,
    defect: undefined,
    isSynced: true,
  };
  readonly #store = new SnapshotStore("service default/s", new ManualClock());
  readonly #view: PortView;

  constructor(port: PortSelector, preferredFamily: "IPv4" | "IPv6") {
    const watch = { known: this.#known, refreshService() {} };
    const onUnmapped = () => queueMicrotask(() => this.#view.endGrace());
    this.#view = new PortView(watch, this.#store, { port, preferredFamily, onUnmapped });
    this.#view.onSettled(true);
  }
  get endpoints(): readonly Endpoint[] {
    return this.#store.latest?.endpoints ?? [];
  }
  get error(): DiscoveryError | undefined {
    return this.#store.latest?.error;
  }
  get lacksPort(): boolean {
    return this.error?.code === "portNotFound";
  }
  setSlice(stored: StoredSlice): boolean {
    return this.#change(stored.metadata.name, readEndpointSlice(stored));
  }
  deleteSlice(name: string): boolean {
    return this.#change(name, undefined);
  }
  setService(stored: StoredService | undefined): boolean {
    const before = this.endpoints;
    this.#known.service = stored && readService(stored);
    this.#known.notFoundError = stored ? undefined : new DiscoveryError("notFound", "there is no such Service");
    this.#view.onService();
    this.#view.onSettled(false);
    return this.endpoints !== before;
  }
  #change(name: string, slice: EndpointSlice | undefined): boolean {
    const before = this.endpoints;
    if (slice) this.#slices.set(name, slice);
    else this.#slices.delete(name);
    this.#view.onSlice(name, slice);
    this.#view.onSettled(true);
    return this.endpoints !== before;
  }
}

const mostCommon: PortSelector = { t: "mostCommon" };
const newTable = (selector: PortSelector = mostCommon, family: "IPv4" | "IPv6" = "IPv4") => new Table(selector, family);
const hosts = (table: Table) =>
  table.endpoints.map(({ addresses }) => addresses.map(({ host }) => host).join("+")).join(" ");
const named = (name: string, ...addresses: SlicePod[]) => slice({ service: "s", name, addresses });

test("3 slices of 100 pods give 300 endpoints; deleting one removes only the endpoints that no other slice has", () => {
  const table = newTable();
  const [a, b, c] = slices({ service: "s", count: 300 });
  assert.ok(a && b && c);
  for (const one of [a, b, c]) table.setSlice(one);
  assert.equal(table.endpoints.length, 300);
  table.setSlice({ ...c, endpoints: [...(c.endpoints ?? []), ...(b.endpoints ?? []).slice(0, 10)] });
  assert.equal(table.endpoints.length, 300);
  assert.equal(table.deleteSlice(b.metadata.name), true);
  assert.equal(table.endpoints.length, 210);
  assert.equal(table.deleteSlice(b.metadata.name), false, "twice is once");
});

test("a slice that becomes empty does not affect the others", () => {
  const table = newTable();
  table.setSlice(named("a", "10.0.0.1"));
  table.setSlice(named("b", "10.0.0.2"));
  table.setSlice(named("a"));
  assert.equal(hosts(table), "10.0.0.2");
  table.setSlice({ ...named("b"), endpoints: null });
  assert.equal(hosts(table), "");
});

test("the order is that of the ids, whatever the slices' order", () => {
  const [one, other] = [newTable(), newTable()];
  const all = slices({ service: "s", count: 50, perSlice: 10 });
  for (const each of all) one.setSlice(each);
  for (const each of [...all].reverse()) {
    other.setSlice({ ...each, endpoints: [...(each.endpoints ?? [])].reverse() });
  }
  assert.deepEqual(one.endpoints, other.endpoints);
  const ids = one.endpoints.map(({ id }) => id);
  assert.deepEqual(ids, [...ids].sort());
});

test("an endpoint that did not change is the same object, and without a change the list is the same array", () => {
  const table = newTable();
  const of = (zone: string) =>
    named("a", { address: "10.0.0.1", pod: "p1", zone }, { address: "10.0.0.2", pod: "p2", zone: "z" });
  table.setSlice(of("z1"));
  const before = table.endpoints;
  assert.equal(table.setSlice(of("z1")), false);
  assert.equal(table.endpoints, before);
  assert.equal(table.setSlice(of("z2")), true);
  assert.deepEqual([table.endpoints[0] === before[0], table.endpoints[1] === before[1]], [false, true]);
  assert.equal(table.endpoints[0]?.zone, "z2");
});

test("a pod that moves from one slice to another stays the same object", () => {
  const table = newTable();
  const pod = { address: "10.0.0.1", pod: "p" };
  table.setSlice(named("a", pod));
  const [before] = table.endpoints;
  table.setSlice(named("b", pod));
  table.setSlice(named("a"));
  assert.equal(table.endpoints[0], before);
});

test("zone, node, hints and the pod's name are kept; a change of each is seen", () => {
  const table = newTable();
  const pod = { address: "10.0.0.1", pod: "p", zone: "z", nodeName: "n", forZones: ["x", "y"] };
  table.setSlice(named("a", pod));
  assert.deepEqual(table.endpoints, [
    {
      id: "uid-p",
      addresses: [{ host: "10.0.0.1", port: 50_051 }],
      weight: 1,
      zone: "z",
      forZones: ["x", "y"],
      nodeName: "n",
      metadata: { podName: "p" },
    },
  ]);
  for (const change of [{ zone: "z2" }, { nodeName: "n2" }, { forZones: ["x"] }, { address: "10.0.0.2" }]) {
    assert.equal(table.setSlice(named("a", { ...pod, ...change })), true, JSON.stringify(change));
    assert.equal(table.setSlice(named("a", pod)), true);
  }
});

test("without a targetRef the first address and port are the identity", () => {
  const table = newTable();
  const at = (name: string, address: string, port: number, addressType: "IPv4" | "IPv6" = "IPv4") =>
    slice({ service: "s", name, addresses: [address], ports: [{ name: "", port }], addressType });
  table.setSlice(at("a", "127.0.0.1", 1));
  table.setSlice(at("b", "127.0.0.1", 2));
  table.setSlice(at("c", "::1", 3, "IPv6"));
  assert.deepEqual(
    table.endpoints.map(({ id }) => id),
    ["127.0.0.1:1", "127.0.0.1:2", "[::1]:3"],
  );
  assert.deepEqual(table.endpoints[0]?.metadata, {});
});

test("an IPv4 and an IPv6 slice of one pod are one endpoint, the preferred family first", () => {
  for (const [family, want] of [
    ["IPv4", "10.0.0.1+fd00::1"],
    ["IPv6", "fd00::1+10.0.0.1"],
  ] as const) {
    const table = newTable(mostCommon, family);
    table.setSlice(
      slice({ service: "s", name: "six", addressType: "IPv6", addresses: [{ address: "fd00::1", pod: "p" }] }),
    );
    table.setSlice(named("four", { address: "10.0.0.1", pod: "p" }));
    assert.equal(hosts(table), want);
    table.deleteSlice(family === "IPv4" ? "four" : "six");
    assert.equal(hosts(table), family === "IPv4" ? "fd00::1" : "10.0.0.1");
  }
});

test("FQDN slices are left out, and do not count as a missing port", () => {
  const table = newTable();
  table.setSlice(slice({ service: "s", addressType: "FQDN", addresses: ["example.com"] }));
  assert.deepEqual([hosts(table), table.lacksPort], ["", false]);
});

const [yes, no] = [true, false];
const rows: [StoredEndpoint["conditions"], "ready" | "draining" | "none"][] = [
  [undefined, "ready"],
  [null, "ready"],
  [{}, "ready"],
  [{ ready: null, serving: null, terminating: null }, "ready"],
  [{ ready: yes }, "ready"],
  [{ ready: no }, "none"],
  [{ ready: no, serving: yes }, "none"],
  [{ ready: yes, serving: yes, terminating: no }, "ready"],
  [{ ready: yes, serving: yes, terminating: yes }, "draining"],
  [{ ready: no, serving: yes, terminating: yes }, "draining"],
  [{ ready: no, serving: no, terminating: yes }, "none"],
  [{ ready: no, terminating: yes }, "none"],
  [{ terminating: yes }, "draining"],
];
for (const [conditions, want] of rows) {
  test(`conditions ${JSON.stringify(conditions)} mean ${want}`, () => {
    const table = newTable();
    const pod: StoredEndpoint = { addresses: ["10.0.0.9"], ...(conditions !== undefined && { conditions }) };
    const of = (...endpoints: StoredEndpoint[]): StoredSlice => ({ ...named("a"), endpoints });
    table.setSlice(of(pod));
    assert.equal(hosts(table), want === "none" ? "" : "10.0.0.9", "alone");
    table.setSlice(of(pod, { addresses: ["10.0.0.1"], conditions: { ready: true } }));
    assert.equal(
      hosts(table),
      want === "ready" ? "10.0.0.1 10.0.0.9" : "10.0.0.1",
      "with another endpoint that is ready",
    );
  });
}

test("a terminating pod leaves on the first event; draining pods serve only when no other pod does", () => {
  const table = newTable();
  const draining = { ready: false, serving: true, terminating: true };
  table.setSlice(named("a", "10.0.0.1", "10.0.0.2"));
  table.setSlice(named("a", { address: "10.0.0.1", conditions: draining }, "10.0.0.2"));
  assert.equal(hosts(table), "10.0.0.2");
  table.setSlice(named("a", ...["10.0.0.1", "10.0.0.2"].map((address) => ({ address, conditions: draining }))));
  assert.equal(hosts(table), "10.0.0.1 10.0.0.2");
  table.setSlice(named("b", "10.0.0.3"));
  assert.equal(hosts(table), "10.0.0.3");
});

for (const [last, serving] of [
  ["it drains", true],
  ["it is over", false],
] as const) {
  test(`a pod that is terminating in one slice leaves, although it is still ready in another; ${last}`, () => {
    const table = newTable();
    const conditions = { ready: false, serving, terminating: true };
    const six = (pod: SlicePod) => slice({ service: "s", name: "six", addressType: "IPv6", addresses: [pod] });
    table.setSlice(named("four", { address: "10.0.0.1", pod: "p" }, { address: "10.0.0.2", pod: "q" }));
    table.setSlice(six({ address: "fd00::1", pod: "p" }));
    assert.equal(hosts(table), "10.0.0.1+fd00::1 10.0.0.2");
    table.setSlice(named("four", { address: "10.0.0.1", pod: "p", conditions }, { address: "10.0.0.2", pod: "q" }));
    assert.equal(hosts(table), "10.0.0.2");
    table.setSlice(named("four", { address: "10.0.0.1", pod: "p", conditions }));
    assert.equal(hosts(table), serving ? "10.0.0.1+fd00::1" : "", "alone");
    table.setSlice(six({ address: "fd00::1", pod: "p", conditions }));
    assert.equal(hosts(table), serving ? "10.0.0.1+fd00::1" : "", "when the other has caught up");
    table.deleteSlice("four");
    table.deleteSlice("six");
    assert.equal(hosts(table), "");
  });
}

test("an endpoint that a slice lists twice is terminating when one of the entries is", () => {
  const draining = { address: "10.0.0.1", pod: "p", conditions: { ready: false, serving: true, terminating: true } };
  for (const pods of [
    [draining, { address: "10.0.0.1", pod: "p" }],
    [{ address: "10.0.0.1", pod: "p" }, draining],
  ]) {
    const table = newTable();
    table.setSlice(named("a", ...pods));
    assert.equal(hosts(table), "10.0.0.1");
    table.setSlice(named("b", "10.0.0.2"));
    assert.equal(hosts(table), "10.0.0.2");
  }
});

test("endpoints that appear and disappear leave no state", () => {
  const table = newTable();
  const before = queryObjects(Set, { format: "count" });
  for (let n = 0; n < 200; n++) table.setSlice(named("a", { address: "10.0.0.1", pod: `p${n}` }));
  const left = queryObjects(Set, { format: "count" }) - before;
  assert.ok(left < 20, `${left} sets are left of 200 endpoints, of which one is there`);
  assert.equal(table.endpoints.length, 1);
});

test("slices whose ports are absent, null or [] are ignored and count as a missing port", () => {
  for (const ports of [null, []]) {
    const table = newTable();
    table.setSlice(slice({ service: "s", addresses: ["10.0.0.1"], ports }));
    assert.deepEqual([hosts(table), table.lacksPort], ["", true]);
    assert.match(table.error?.message ?? "", /its EndpointSlices name no target ports$/);
    table.setSlice(named("s-2", "10.0.0.2"));
    assert.deepEqual([hosts(table), table.lacksPort], ["10.0.0.2", false]);
    table.deleteSlice("s-2");
    table.deleteSlice("s-1");
    assert.equal(table.lacksPort, false);
  }
});

test("a port is missing when no slice has it, even if the endpoints of its slices cannot be used", () => {
  const at = (name: string, port: string, pods: readonly SlicePod[], ready = true) =>
    slice({ service: "s", name, addresses: pods, ports: [{ name: port, port: 1 }], ready });
  const table = newTable({ t: "name", name: "grpc" });
  table.setSlice(at("http", "http", ["10.0.0.1"]));
  assert.equal(table.lacksPort, true);
  table.setSlice(at("grpc", "grpc", ["10.0.0.2"], false));
  assert.deepEqual([hosts(table), table.lacksPort], ["", false], "unready");
  table.setSlice(at("grpc", "grpc", []));
  assert.equal(table.lacksPort, false, "scaled to zero");
  table.deleteSlice("grpc");
  assert.equal(table.lacksPort, true);
});

test("without a name, all slices use the port that most of them have, or the first by name of several", () => {
  const at = (name: string, address: string, ...ports: [string, number][]) =>
    slice({ service: "s", name, addresses: [address], ports: ports.map(([name, port]) => ({ name, port })) });
  const a = at("a", "10.0.0.1", ["http", 8_080]);
  const b = at("b", "10.0.0.2", ["grpc", 50_051], ["http", 8_081]);
  const empty = slice({ service: "s", name: "empty", addresses: [], ports: [{ name: "admin", port: 1 }] });
  const urls = (table: Table) => table.endpoints.map(({ id }) => id);
  for (const slices of [
    [a, b, empty],
    [b, empty, a],
    [empty, a, b],
  ]) {
    const table = newTable();
    for (const one of slices) table.setSlice(one);
    assert.deepEqual(urls(table), ["10.0.0.1:8080", "10.0.0.2:8081"]);
    table.deleteSlice("a");
    assert.deepEqual(urls(table), ["10.0.0.2:50051"]);
    table.setSlice(a);
    assert.deepEqual(urls(table), ["10.0.0.1:8080", "10.0.0.2:8081"]);
    table.setSlice({ ...a, ports: [{ name: "grpc", port: 5 }] });
    assert.deepEqual(urls(table), ["10.0.0.1:5", "10.0.0.2:50051"]);
  }
});

test("a name is resolved per slice, so that a rollout may change its number", () => {
  const table = newTable({ t: "name", name: "grpc" });
  const at = (name: string, address: string, port: number) =>
    slice({ service: "s", name, addresses: [address], ports: [{ name: "grpc", port }] });
  table.setSlice(at("a", "10.0.0.1", 1));
  table.setSlice(at("b", "10.0.0.2", 2));
  assert.deepEqual(
    table.endpoints.map(({ addresses }) => addresses[0]?.port),
    [1, 2],
  );
});

test("the Service maps the slices that were set before it and after it", async () => {
  const table = newTable({ t: "number", number: 80 });
  table.setSlice(named("a", "10.0.0.1"));
  assert.equal(table.lacksPort, true);
  assert.equal(table.setService(service({ name: "s" })), true);
  assert.deepEqual([table.endpoints[0]?.addresses, table.lacksPort], [[{ host: "10.0.0.1", port: 50_051 }], false]);
  table.setSlice(named("b", "10.0.0.2"));
  assert.equal(hosts(table), "10.0.0.1 10.0.0.2");
  assert.equal(table.setService(service({ name: "s", ports: [{ name: "grpc", port: 81 }] })), false);
  assert.equal(hosts(table), "10.0.0.1 10.0.0.2", "the slices' own event may be on its way");
  await turn();
  assert.deepEqual([hosts(table), table.lacksPort], ["", true], "when that was waited for");
});

test("endpoints without an address are left out", () => {
  const table = newTable();
  table.setSlice({ ...named("a"), endpoints: [{ addresses: [] }, { addresses: null }, {}] });
  assert.equal(hosts(table), "");
});

for (const seed of [1, 2, 3, 4, 5]) {
  test(`incremental updates give the same result as a new view, for 400 random events (seed ${seed})`, () => {
    const random = createRandom(seed);
    const below = (n: number) => Math.floor(random() * n);
    const table = newTable();
    const there = new Map<string, StoredSlice>();
    const states = [
      { ready: true },
      { ready: false },
      { ready: false, serving: true, terminating: true },
      { ready: false, serving: false, terminating: true },
    ];
    for (let n = 0; n < 400; n++) {
      const name = `slice-${below(6)}`;
      if (random() < 0.2) {
        there.delete(name);
        table.deleteSlice(name);
      } else {
        const isSix = random() < 0.3;
        const pods = Array.from({ length: below(8) }, () => {
          const p = below(12);
          return {
            address: isSix ? `fd00::${p}` : `10.0.0.${p}`,
            pod: `p${p}`,
            conditions: states[below(random() < 0.5 ? 1 : 4)] ?? null,
            zone: `z${below(20) === 0 ? 1 : 0}`,
          };
        });
        const next = slice({
          service: "s",
          name,
          addresses: pods,
          addressType: isSix ? "IPv6" : "IPv4",
          ports: random() < 0.1 ? [] : [{ name: random() < 0.5 ? "a" : "b", port: 1 + below(2) }],
        });
        there.set(name, next);
        table.setSlice(next);
      }
      const before = n % 3 === 0 ? undefined : table.endpoints; // read only after some of the events
      if (!before) continue;
      const scratch = newTable();
      for (const each of there.values()) scratch.setSlice(each);
      assert.deepEqual(before, scratch.endpoints, `step ${n}`);
      assert.equal(table.lacksPort, scratch.lacksPort, `step ${n}`);
    }
  });
}
