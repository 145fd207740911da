import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "@grpc-lb/core";
import { ManualClock } from "@grpc-lb/core/testing";
import { endpointAt } from "../../testing/fake-source.ts";
import { Rotation } from "./rotation.ts";

const endpoints = [1, 2, 3].map((port) => endpointAt(port));
const [a, b] = endpoints as [(typeof endpoints)[0], (typeof endpoints)[0]];
const untried: ReadonlySet<(typeof endpoints)[0]> = new Set();

function start(random = () => 0.5) {
  const clock = new ManualClock();
  const rotation = new Rotation({ clock, random });
  /** The ids of the next ones, shortened to their ports; `?` after a last resort. */
  const next = (count: number, of = endpoints, tried = untried) =>
    Array.from({ length: count }, () => {
      const { endpoint, isLastResort } = rotation.next(of, tried) ?? assert.fail("want an endpoint");
      return endpoint.addresses[0]?.port + (isLastResort ? "?" : "");
    }).join("");
  return { clock, rotation, next };
}

test("all have their turn; the first one is drawn", () => {
  const order = (draw: number) => start(() => draw).next(6);
  assert.deepEqual([0, 1 / 2 ** 16, 2 / 2 ** 16].map(order), ["231231", "312312", "123123"]);
  const random = createRandom(1);
  const counts: Record<string, number> = {};
  for (let n = 0; n < 3_000; n++) {
    const first = start(random).next(1);
    counts[first] = (counts[first] ?? 0) + 1;
  }
  for (const port of ["1", "2", "3"]) assert.ok(Math.abs((counts[port] ?? 0) - 1_000) < 100, JSON.stringify(counts));
});

test("without endpoints, or when all were tried, there is no choice", () => {
  const { rotation } = start();
  assert.deepEqual([rotation.next([], untried), rotation.next([a], new Set([a]))], [undefined, undefined]);
});

test("an endpoint that failed is in backoff, the others share evenly; then one request tries it", () => {
  const { clock, rotation, next } = start();
  rotation.failed(a);
  assert.equal(next(6), "232323");
  clock.advance(499);
  assert.equal(next(2), "23");
  clock.advance(1);
  assert.equal(next(4), "1232", "after that request it is in backoff again");
  clock.advance(999);
  assert.equal(next(2), "32", "for twice as long");
  clock.advance(1);
  assert.equal(next(3), "312");
});

test("the bound doubles from 1 s to 30 s; an open connection resets it", () => {
  const { clock, rotation, next } = start();
  const notOther = new Set([b]);
  /** How long it is in backoff, each time until it is tried, and fails again. */
  const waits = (count: number) =>
    Array.from({ length: count }, () => {
      rotation.failed(a);
      let ms = 0;
      for (; next(1, [a, b], notOther) === "1?"; ms += 250) clock.advance(250);
      return ms;
    });
  assert.deepEqual(waits(7), [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
  rotation.connected(a);
  assert.equal(next(1, [a, b], notOther), "1");
  assert.deepEqual(waits(1), [500]);
});

test("failures at the same time count once", () => {
  const { clock, rotation, next } = start();
  for (let n = 0; n < 20; n++) rotation.failed(a);
  clock.advance(500);
  assert.equal(next(1), "1");
});

test("when all are in backoff, the next in turn is the last resort", () => {
  const { rotation, next } = start();
  for (const endpoint of endpoints) rotation.failed(endpoint);
  assert.equal(next(3), "1?2?3?");
  assert.equal(next(2, endpoints, new Set([b])), "1?3?");
});

test("an endpoint that the source has replaced has no backoff", () => {
  const { rotation, next } = start();
  rotation.failed(a);
  assert.equal(next(2, [endpointAt(1), b]), "21");
});
