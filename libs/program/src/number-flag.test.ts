import assert from "node:assert/strict";
import { test } from "node:test";
import { numberFlag } from "./number-flag.ts";

const share = numberFlag({ help: "", default: 0, min: 0, max: 1 });
const weight = numberFlag({ help: "", default: 1, above: 0 });
const least = numberFlag({ help: "", default: 5, min: -1.5 });

test("a number flag takes decimal numbers within its bounds", () => {
  for (const [flag, text, want] of [
    [share, "0", 0],
    [share, "0.25", 0.25],
    [share, "1", 1],
    [weight, "0.001", 0.001],
    [weight, "300", 300],
    [least, "-1.5", -1.5],
  ] as const) {
    assert.equal(flag.parse(text), want, text);
  }
});

test("a number flag refuses the rest, with its bounds and what it got", () => {
  const endless = "9".repeat(400);
  for (const [flag, text, range] of [
    [share, "1.01", "from 0 to 1"],
    [share, "-0.1", "from 0 to 1"],
    [share, "10%", "from 0 to 1"],
    [share, "1e-1", "from 0 to 1"],
    [share, ".5", "from 0 to 1"],
    [share, "", "from 0 to 1"],
    [share, "NaN", "from 0 to 1"],
    [weight, "0", "above 0"],
    [weight, "-1", "above 0"],
    [weight, "Infinity", "above 0"],
    [weight, endless, "above 0"],
    [least, "-2", "of at least -1.5"],
  ] as const) {
    assert.throws(() => flag.parse(text), { name: "RangeError", message: `must be a number ${range}, got "${text}"` });
  }
});
