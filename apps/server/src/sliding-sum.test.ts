import assert from "node:assert/strict";
import { test } from "node:test";
import { SlidingSum } from "./sliding-sum.ts";

const second = () => new SlidingSum({ slots: 20, slotMs: 50 });
const near = (got: number, want: number) =>
  assert.ok(Math.abs(got - want) <= 1e-9 + want * 1e-9, `want ${want}, got ${got}`);

test("a constant rate is exact at any time within a slot", () => {
  const sum = second();
  for (let now = 0; now <= 3_030; now += 10) sum.add(1, now, now - 10);
  for (const now of [3_030, 3_049, 3_050]) near(sum.perMs(now) * (1_000 + (now % 50)), now === 3_050 ? 98 : 103);
});

test("an amount added at once counts for a second, and then no more", () => {
  const sum = second();
  sum.add(7, 120);
  near(sum.perMs(1_099) * 1_049, 7);
  assert.equal(sum.perMs(1_150), 0);
});

test("of an amount spread over more than the window, the part within it counts", () => {
  const sum = second();
  sum.add(10_000, 10_000, 0);
  near(sum.perMs(10_000), 1);
  near(sum.perMs(10_500) * 1_000, 500);
});

test("a long pause clears it, and it goes on from there", () => {
  const sum = second();
  sum.add(5, 10);
  sum.add(3, 3_600_010);
  near(sum.perMs(3_600_049) * 1_049, 3);
});
