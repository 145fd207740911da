import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { endpointAt } from "../../testing/endpoint.ts";
import { assertBounded } from "../../testing/fuzz.ts";
import { EndpointSet } from "./endpoint-set.ts";
import type { Endpoint } from "./snapshot.ts";

const ids = (set: EndpointSet) => set.all.map(({ id }) => id).join(" ");
const addressesOf = (...hosts: readonly string[]) => hosts.map((host) => ({ host, port: 80 }));

test("endpoints are in the order of their ids, however they were set", () => {
  const set = new EndpointSet();
  for (const id of "dacbe") set.set(endpointAt(id));
  assert.equal(ids(set), "a b c d e");
  for (const id of "ace") set.delete(id);
  set.set(endpointAt("f"));
  set.set(endpointAt("a"));
  assert.equal(ids(set), "a b d f");
});

test("an array that was returned never changes, and without a change it is returned again", () => {
  const set = new EndpointSet();
  set.set(endpointAt("a"));
  const before = set.all;
  assert.equal(set.all, before);
  set.set(endpointAt("b"));
  assert.equal(set.all.length, 2);
  assert.equal(before.length, 1);
});

test("changes that cancel out, and the deletion of an unknown id, change nothing", () => {
  const set = new EndpointSet();
  const a = endpointAt("a");
  set.set(a);
  set.set(endpointAt("c"));
  const before = set.all;
  set.set(endpointAt("b"));
  set.delete("b");
  set.delete("unknown");
  set.delete("a");
  set.set(a);
  assert.equal(set.all, before);
  for (let n = 0; n < 20; n++) set.set(endpointAt(`n${n}`));
  for (let n = 0; n < 20; n++) set.delete(`n${n}`);
  assert.equal(set.all, before, "also when there were many");
});

test("an endpoint that is equal stays the same object; one that differs replaces the one of its id", () => {
  const set = new EndpointSet();
  const [a, b] = [endpointAt("a", { metadata: { podName: "p" } }), endpointAt("b")];
  set.set(a);
  set.set(b);
  const before = set.all;
  set.set(endpointAt("a", { metadata: { podName: "p" } }));
  assert.equal(set.all, before);
  set.set(endpointAt("a", { metadata: { podName: "q" } }));
  assert.equal(set.get("a")?.metadata.podName, "q");
  assert.equal(set.all[1], b);
});

test("size, get and ids include endpoints that are not used", () => {
  const set = new EndpointSet();
  set.set(endpointAt("a"));
  set.set(endpointAt("a", { id: "a2" }));
  set.set(endpointAt("b", { weight: 0 }));
  assert.deepEqual([set.size, [...set.ids()].sort(), set.all.length], [3, ["a", "a2", "b"], 1]);
  assert.deepEqual([set.get("b")?.weight, set.get("c")], [0, undefined]);
});

test("one address is one endpoint: the one that was set last", () => {
  const set = new EndpointSet();
  set.set(endpointAt("x", { id: "a" }));
  set.set(endpointAt("x", { id: "c" }));
  set.set(endpointAt("x", { id: "b" }));
  assert.equal(ids(set), "b");
  set.delete("b");
  assert.equal(ids(set), "c");
  set.set(endpointAt("x", { id: "a", zone: "z" }));
  assert.equal(ids(set), "a", "a changed endpoint was set last");
  set.set(endpointAt("x", { id: "c" }));
  assert.equal(ids(set), "a", "an equal one was not");
  set.set(endpointAt("y", { id: "a" }));
  assert.equal(ids(set), "a c", "it has left the address");
});

test("another port is another address", () => {
  const set = new EndpointSet();
  set.set(endpointAt("x:80"));
  set.set(endpointAt("x:81"));
  assert.equal(ids(set), "x:80 x:81");
});

test("of endpoints that share an address, one with more addresses precedes one that was set later", () => {
  const set = new EndpointSet();
  set.set(endpointAt("x", { id: "dual", addresses: addressesOf("x", "fd00::1") }));
  set.set(endpointAt("x", { id: "v4" }));
  set.set(endpointAt("[fd00::1]", { id: "v6" }));
  assert.equal(ids(set), "dual");
  set.delete("dual");
  assert.equal(ids(set), "v4 v6");
});

test("of endpoints that share an address, one that takes traffic precedes a standby with more addresses", () => {
  const set = new EndpointSet();
  set.set(endpointAt("x", { id: "pod" }));
  set.set(endpointAt("x", { id: "standby", addresses: addressesOf("x", "y") }), { isStandby: true });
  assert.equal(ids(set), "pod");
  set.delete("pod");
  assert.equal(ids(set), "standby");
});

test("an endpoint that lists an address twice is one, and leaves nothing", () => {
  const set = new EndpointSet();
  set.set(endpointAt("x", { addresses: addressesOf("x", "x") }));
  assert.equal(ids(set), "x");
  set.delete("x");
  assert.equal(ids(set), "");
  set.set(endpointAt("x", { id: "other" }));
  assert.equal(ids(set), "other");
});

test("an endpoint that is not used hides no other: every address has one", () => {
  const set = new EndpointSet();
  set.set(endpointAt("z", { id: "c" }));
  set.set(endpointAt("y", { id: "b", addresses: addressesOf("y", "z") }));
  set.set(endpointAt("x", { id: "a", addresses: addressesOf("x", "y") }));
  assert.equal(ids(set), "a c", "b shares an address with a, and so c has its own");
  set.delete("a");
  assert.equal(ids(set), "b");
});

test("standbys are used only while there is no other", () => {
  const set = new EndpointSet();
  set.set(endpointAt("a", { weight: 0 }));
  set.set(endpointAt("b"), { isStandby: true });
  assert.equal(ids(set), "a b");
  set.set(endpointAt("c"));
  assert.equal(ids(set), "c");
  set.set(endpointAt("b"));
  assert.equal(ids(set), "b c", "the same endpoint takes traffic again");
  set.set(endpointAt("b"), { isStandby: true });
  assert.equal(ids(set), "c");
  set.delete("c");
  assert.equal(ids(set), "a b");
  set.set(endpointAt("a", { weight: 2 }));
  assert.equal(ids(set), "a");
});

test("replaceAll keeps what is equal, and deletes the rest", () => {
  const set = new EndpointSet();
  const a = endpointAt("a");
  set.replaceAll([a, endpointAt("b")]);
  const before = set.all;
  set.replaceAll([endpointAt("b"), endpointAt("a")]);
  assert.equal(set.all, before);
  set.replaceAll([endpointAt("c"), endpointAt("a")]);
  assert.equal(ids(set), "a c");
  assert.equal(set.all[0], a);
  set.replaceAll([]);
  assert.deepEqual([set.all, set.size], [[], 0]);
});

test("replaceAll refuses an id that occurs twice, and changes nothing", () => {
  const set = new EndpointSet();
  set.replaceAll([endpointAt("a"), endpointAt("b")]);
  const before = set.all;
  assert.throws(() => set.replaceAll([endpointAt("c"), endpointAt("x", { id: "a" }), endpointAt("y", { id: "a" })]), {
    name: "RangeError",
    message: 'the endpoints must have each id once, got "a" twice',
  });
  assert.equal(set.all, before);
});

test("replaceAll can keep an order, and the same order is the same array", () => {
  const set = new EndpointSet();
  set.replaceAll([endpointAt("b"), endpointAt("a"), endpointAt("d", { weight: 0 })], { keepsOrder: true });
  const before = set.all;
  assert.equal(ids(set), "b a");
  set.replaceAll([endpointAt("b"), endpointAt("a"), endpointAt("d", { weight: 0 })], { keepsOrder: true });
  assert.equal(set.all, before);
  set.replaceAll([endpointAt("a"), endpointAt("b")], { keepsOrder: true });
  assert.equal(ids(set), "a b");
  set.replaceAll([endpointAt("b"), endpointAt("a")]);
  assert.equal(ids(set), "a b", "by id again");
});

test("a change after a replaceAll that keeps its order counts: what is set follows, by id", () => {
  const set = new EndpointSet();
  set.replaceAll([endpointAt("c"), endpointAt("b"), endpointAt("a")], { keepsOrder: true });
  set.set(endpointAt("y"));
  set.set(endpointAt("x"));
  set.set(endpointAt("b", { zone: "z" }));
  set.delete("c");
  assert.equal(ids(set), "b a x y");
  assert.equal(set.all[0]?.zone, "z");
});

test("5000 endpoints of one address take less than a second of CPU", () => {
  const set = new EndpointSet();
  const before = process.cpuUsage();
  for (let n = 0; n < 5_000; n++) set.set(endpointAt("x", { id: `${n}` }));
  assert.equal(ids(set), "4999");
  for (let n = 4_999; n > 2_500; n--) set.delete(`${n}`);
  assert.equal(ids(set), "2500");
  const tookMs = process.cpuUsage(before).user / 1_000;
  assert.ok(tookMs < 1_000, `took ${tookMs} ms`);
});

/** The rules, written without regard to speed. */
class Model {
  readonly #entries = new Map<string, { endpoint: Endpoint; isStandby: boolean; serial: number }>();
  #serial = 0;

  set(endpoint: Endpoint, isStandby: boolean): void {
    const known = this.#entries.get(endpoint.id);
    if (known && JSON.stringify([known.endpoint, known.isStandby]) === JSON.stringify([endpoint, isStandby])) return;
    this.#entries.set(endpoint.id, { endpoint, isStandby, serial: ++this.#serial });
  }

  delete(id: string): void {
    this.#entries.delete(id);
  }

  get all(): readonly Endpoint[] {
    const byPrecedence = [...this.#entries.values()].sort(
      (a, b) =>
        Number(a.isStandby) - Number(b.isStandby) ||
        b.endpoint.addresses.length - a.endpoint.addresses.length ||
        b.serial - a.serial,
    );
    const taken = new Set<string>();
    const used = byPrecedence.filter(({ endpoint: { addresses } }) => {
      if (addresses.some(({ host }) => taken.has(host))) return false;
      for (const { host } of addresses) taken.add(host);
      return true;
    });
    const active = used.filter(({ isStandby }) => !isStandby);
    const chosen = (active.length > 0 ? active : used).map(({ endpoint }) => endpoint);
    return chosen.sort((a, b) => (a.id < b.id ? -1 : 1));
  }
}

test("any changes, read now and then, give what the rules give, with objects and arrays that stay the same", () => {
  const id = fc.integer({ min: 0, max: 11 }).map(String);
  const host = fc.integer({ min: 0, max: 15 }).map((n) => `h${n}`);
  const endpoint = fc.record({
    id,
    hosts: fc.array(host, { minLength: 1, maxLength: 3 }),
    zone: fc.constantFrom("a", "b"),
    isStandby: fc.boolean(),
  });
  const change = fc.oneof(
    { weight: 6, arbitrary: endpoint.map((set) => ({ set })) },
    { weight: 2, arbitrary: id.map((remove) => ({ remove })) },
    { weight: 3, arbitrary: fc.constant({ read: true }) },
    { weight: 1, arbitrary: fc.array(endpoint, { maxLength: 12 }).map((replaceAll) => ({ replaceAll })) },
  );
  const toEndpoint = ({ id, hosts, zone }: { id: string; hosts: readonly string[]; zone: string }) =>
    endpointAt("unused", { id, zone, addresses: addressesOf(...hosts) });
  assertBounded(
    fc.property(fc.array(change, { maxLength: 120 }), (changes) => {
      const [set, model] = [new EndpointSet(), new Model()];
      let before = set.all;
      let modelBefore: readonly Endpoint[] = [];
      for (const each of [...changes, { read: true }]) {
        if ("set" in each) {
          set.set(toEndpoint(each.set), each.set);
          model.set(toEndpoint(each.set), each.set.isStandby);
        } else if ("remove" in each) {
          set.delete(each.remove);
          model.delete(each.remove);
        } else if ("replaceAll" in each) {
          const wanted = new Map(each.replaceAll.map((one) => [one.id, toEndpoint(one)]));
          for (const known of [...set.ids()]) if (!wanted.has(known)) model.delete(known);
          set.replaceAll([...wanted.values()]);
          for (const one of wanted.values()) model.set(one, false);
        } else {
          const { all } = set;
          const modelAll = model.all;
          assert.deepEqual(all, modelAll);
          for (const [n, one] of modelAll.entries()) {
            const known = modelBefore.indexOf(one);
            if (known >= 0) assert.equal(all[n], before[known], "an endpoint that did not change");
          }
          const isSame = modelAll.length === modelBefore.length && modelAll.every((one, n) => one === modelBefore[n]);
          if (isSame) assert.equal(all, before, "an array that did not change");
          [before, modelBefore] = [all, modelAll];
        }
      }
    }),
    500,
  );
});
