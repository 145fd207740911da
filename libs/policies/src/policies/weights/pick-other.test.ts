import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "@grpc-lb/core";
import { assertShares } from "../../../testing/fake-calls.ts";
import { AliasTable } from "./alias-table.ts";

/** How often each other member is drawn. */
function draw(weights: readonly number[], taken: number, seed: number): Record<string, number> {
  const table = new AliasTable(weights);
  const random = createRandom(seed);
  const counts: Record<string, number> = {};
  for (let n = 0; n < 30_000; n++) {
    const drawn = table.pickOther(taken, random);
    counts[drawn] = (counts[drawn] ?? 0) + 1;
  }
  return counts;
}

test("pickOther draws the others by weight, and never the given one, for several seeds", () => {
  for (const seed of [1, 2, 2026]) {
    assertShares(draw([1, 2, 3, 4], 0, seed), { 1: 2, 2: 3, 3: 4 });
    assertShares(draw([1, 0, 2, 4], 0, seed), { 2: 1, 3: 2 });
    assertShares(draw([1, 1], 1, seed), { 0: 1 });
  }
});

test("when one member has nearly all weight, the next in the list is drawn after several attempts", () => {
  let draws = 0;
  const random = () => {
    draws += 1;
    return 0;
  };
  assert.equal(new AliasTable([1, 1e-9, 1e-9]).pickOther(0, random), 1);
  assert.equal(draws, 8, "draws are bounded");
  assert.equal(new AliasTable([0, 0, 1]).pickOther(2, createRandom(1)), 0);
});

test("with a single member pickOther returns it", () => {
  assert.equal(new AliasTable([1]).pickOther(0, createRandom(1)), 0);
});
