import assert from "node:assert/strict";
import { test } from "node:test";
import { letterOf, PodBook } from "./pod-book.ts";

test("letters go on after Z with two letters", () => {
  assert.deepEqual([0, 25, 26, 51, 52, 701, 702].map(letterOf), ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA"]);
});

test("a pod keeps its letter and place, and one that only answered is ready", () => {
  const book = new PodBook();
  assert.equal(book.set("a", "added", "n1", "z1"), undefined);
  book.answered("b");
  assert.equal(book.set("a", "ready", "", ""), "added");
  book.answered("a");
  assert.deepEqual(book.all, [
    { name: "a", letter: "A", index: 0, state: "ready", node: "n1", zone: "z1" },
    { name: "b", letter: "B", index: 1, state: "ready", node: "", zone: "" },
  ]);
});

test("only pods that could answer are present, and the last two that are gone stay", () => {
  const book = new PodBook();
  for (const name of ["a", "b", "c", "d", "e"]) book.set(name, "ready", "", "");
  for (const name of ["a", "b", "c"]) book.set(name, "gone", "", "");
  book.set("f", "added", "", "");
  assert.deepEqual(book.present, ["d", "e"]);
  assert.deepEqual(
    book.all.map(({ name }) => name),
    ["b", "c", "d", "e", "f"],
  );
  assert.equal(book.letterOf("a"), "?");
});
