import assert from "node:assert/strict";
import { test } from "node:test";
import { inSlices } from "./slices.ts";

test("long work lets the event loop have its turn, and its result is returned", async () => {
  let turns = 0;
  const count = () => {
    turns += 1;
    timer = setImmediate(count);
  };
  let timer = setImmediate(count);
  const result = await inSlices(
    (function* () {
      for (let n = 0; n < 5; n++) {
        const untilMs = performance.now() + 12;
        while (performance.now() < untilMs);
        yield;
      }
      return "done";
    })(),
  );
  clearImmediate(timer);
  assert.equal(result, "done");
  assert.ok(turns >= 4, `${turns} turns`);
});

test("what the work throws is thrown", async () => {
  await assert.rejects(
    inSlices(
      // biome-ignore lint/correctness/useYield: it fails before
      (function* () {
        throw new RangeError("no");
      })(),
    ),
    RangeError,
  );
});
