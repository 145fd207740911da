import assert from "node:assert/strict";
import { test } from "node:test";
import { ClientLineReader } from "./client-line.ts";

const call = { t: "call", pod: "a", error: "", ms: null, connection: null };

for (const [line, news] of [
  ["#3: a", call],
  ["Error: GetPod x: UNAVAILABLE: refused", { ...call, pod: null, error: "GetPod x: UNAVAILABLE: refused" }],
  ['{"event":"call","ms":2.5,"pod":"a","connection":1}', { ...call, ms: 2.5, connection: 1 }],
  ['{"event":"call","ms":2.5,"error":"late"}', { ...call, pod: null, error: "late", ms: 2.5 }],
  ['{"event":"connection-opened","connection":1,"peer":"[::1]:80"}', { t: "opened", connection: 1, peer: "[::1]:80" }],
  ['{"event":"goaway","connection":1}', { t: "goaway", connection: 1 }],
  ['{"event":"connection-closed","connection":1}', { t: "closed", connection: 1 }],
  ['{"event":"connection-closed","connection":1.5}', undefined],
  ['{"event":"call","ms":1}', undefined],
  ['{"event":"other","connection":1}', undefined],
  ["{", undefined],
  ["Policy: round_robin {}", undefined],
] as const) {
  test(`the line ${line} says ${news === undefined ? "nothing" : news.t}`, () => {
    assert.deepEqual(new ClientLineReader().read(line), news);
  });
}

test("a client that writes events is not counted by its other lines too", () => {
  const reader = new ClientLineReader();
  assert.equal(reader.hasEvents, false);
  assert.ok(reader.read('{"event":"call","ms":2.5,"pod":"a"}'));
  assert.equal(reader.hasEvents, true);
  assert.equal(reader.read("#1: a"), undefined);
  assert.equal(reader.read("Error: late"), undefined);
});

test("a client that has restarted without events counts by its lines again", () => {
  const reader = new ClientLineReader();
  reader.read('{"event":"call","ms":2.5,"pod":"a"}');
  const read = Array.from({ length: 60 }, (_, i) => reader.read(`#${i + 1}: a`));
  assert.equal(reader.hasEvents, false);
  assert.equal(read.filter((news) => news !== undefined).length, 10);
});
