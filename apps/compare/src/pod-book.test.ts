import assert from "node:assert/strict";
import { test } from "node:test";
import { podStates } from "../page/protocol.ts";
import { letterOf, maxPods, PodBook } from "./pod-book.ts";

test("letters go on after Z with two letters", () => {
  assert.deepEqual([0, 25, 26, 51, 52, 701, 702].map(letterOf), ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA"]);
});

test("a pod keeps its letter and place, and one that only answered is ready", () => {
  const book = new PodBook();
  assert.equal(book.set("a", "added", "n1", "z1"), undefined);
  book.mention("b");
  assert.equal(book.set("a", "ready", "", ""), "added");
  book.mention("a");
  assert.deepEqual(book.all, [
    { name: "a", letter: "A", index: 0, state: "ready", node: "n1", zone: "z1" },
    { name: "b", letter: "B", index: 1, state: "ready", node: "", zone: "" },
  ]);
});

test("pods that are ready or slow are to be called, and once endpoints are known, those of them", () => {
  const book = new PodBook();
  for (const state of podStates) book.set(state, state, "", "");
  assert.deepEqual(book.callable, ["ready", "slow"]);
  assert.deepEqual(book.setEndpoints(["ready", "frozen", "draining", "new"]), {
    added: ["ready", "frozen", "draining", "new"],
    removed: [],
  });
  assert.deepEqual(book.callable, ["ready", "new"]);
  assert.deepEqual(book.setEndpoints(["slow", "new"]), { added: ["slow"], removed: ["ready", "frozen", "draining"] });
  assert.deepEqual(book.callable, ["slow", "new"]);
});

test("the last two pods that are gone stay, and a late answer or endpoint brings none back", () => {
  const book = new PodBook();
  const names = () => book.all.map(({ name }) => name).join("");
  for (const name of ["a", "b", "c", "d"]) book.set(name, "ready", "", "");
  for (const name of ["a", "b", "c"]) book.set(name, "gone", "", "");
  assert.equal(names(), "bcd");
  assert.equal(book.letterOf("a"), "?");
  for (const name of ["a", "b", "c"]) book.mention(name);
  book.setEndpoints(["a", "b", "d"]);
  assert.deepEqual([names(), book.callable], ["bcd", ["d"]]);
  book.set("a", "ready", "", "");
  assert.equal(names(), "bcda", "a StatefulSet starts a pod with the name of one that is gone");
});

test("the pods that stay are those that went last, whatever their order on the page", () => {
  const book = new PodBook();
  const names = () => book.all.map(({ name }) => name).join("");
  for (const name of ["a", "b", "c", "d"]) book.set(name, "ready", "", "");
  for (const name of ["d", "c", "a"]) book.set(name, "gone", "", "");
  assert.equal(names(), "abc");
  book.set("c", "ready", "", "");
  book.set("c", "gone", "", "");
  book.set("b", "gone", "", "");
  assert.equal(names(), "bc");
});

test("there is a limit of pods: those that are gone make room, and others count as one", () => {
  const book = new PodBook();
  for (let n = 0; n < 5_000; n++) book.mention(`pod-${n}`);
  assert.deepEqual([book.all.length, book.isFull, book.mention("one-more")], [maxPods, true, "other pods"]);
  assert.equal(book.set("one-more", "ready", "", ""), undefined);
  assert.equal(book.all.length, maxPods);
  for (let n = 0; n < 10; n++) book.set(`pod-${n}`, "gone", "", "");
  assert.deepEqual([book.mention("one-more"), book.isFull], ["one-more", false]);
  for (let n = 0; n < 5_000; n++) book.set(`gone-${n}`, "gone", "", "");
  assert.equal(book.all.length, maxPods - 7);
});
