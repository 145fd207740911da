import assert from "node:assert/strict";
import { test } from "node:test";
import { ConnectionBook } from "./connections.ts";

const upper = (pod: string) => pod.toUpperCase();

test("a connection has its calls, and the letters of the pods that answered them", () => {
  const book = new ConnectionBook();
  book.open(1, "10.0.0.1:80");
  for (const pod of ["b", "a", null, "b"]) book.carry(1, pod);
  book.goAway(1);
  const open = [{ number: 1, peer: "10.0.0.1:80", calls: 4, pods: ["A", "B"], isGoingAway: true }];
  assert.deepEqual(book.snapshot(upper), { open, openCount: 1, opened: 1, isOnePerCall: false });
  assert.deepEqual(book.close(1), { peer: "10.0.0.1:80", calls: 4, wasGoingAway: true });
  assert.equal(book.close(1), undefined);
  assert.deepEqual(book.snapshot(upper), { open: [], openCount: 0, opened: 1, isOnePerCall: false });
});

test("connections that carry one call each are noticed, also when the call is reported after the end", () => {
  const book = new ConnectionBook();
  book.open(1, "x");
  book.close(1);
  book.carry(1, "a");
  assert.equal(book.isOnePerCall, true);
  book.open(2, "x");
  book.carry(2, "a");
  assert.equal(book.isOnePerCall, true);
  book.carry(2, "a");
  assert.equal(book.isOnePerCall, false);
});

test("a client that has restarted has none of its old connections", () => {
  const book = new ConnectionBook();
  book.open(1, "x");
  book.open(2, "x");
  book.open(1, "y");
  const { open, opened } = book.snapshot(upper);
  assert.deepEqual([open.map(({ peer }) => peer), opened], [["y"], 3]);
});

test("what is open stays bounded, and unknown numbers are ignored", () => {
  const book = new ConnectionBook();
  for (let number = 1; number <= 1_500; number++) book.open(number, "x");
  book.carry(1, "a");
  book.goAway(9_999);
  const { open, openCount, opened } = book.snapshot(upper);
  assert.deepEqual([open.length, open[0]?.number, openCount, opened], [60, 501, 1_000, 1_500]);
});
