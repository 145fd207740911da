import assert from "node:assert/strict";
import { test } from "node:test";
import { formatDuration, maxDurationMs, parseDuration } from "./duration.ts";
import { createRandom } from "./random.ts";

const readable: readonly (readonly [text: string, ms: number])[] = [
  ["0", 0],
  ["0s", 0],
  ["300ms", 300],
  ["007ms", 7],
  ["1s", 1_000],
  ["1.5s", 1_500],
  ["1.0004s", 1_000],
  ["0.0006s", 1],
  ["5m", 300_000],
  ["0.5h", 1_800_000],
  ["2h", 7_200_000],
  ["2147483647ms", maxDurationMs],
  ["596h", 2_145_600_000],
];

test("a duration is a number and a unit, in whole milliseconds", () => {
  for (const [text, want] of readable) assert.equal(parseDuration(text), want, `"${text}"`);
});

test("a text without a unit, without a number or with anything else is an error that shows the text", () => {
  const wrong = ["", "5", "00", "0.0", "s", "-1s", "+1s", "1.s", ".5s", " 1s", "1s ", "1 s", "1S", "1d", "1us", "1e3s"];
  for (const text of [...wrong, "1h30m", "1s\n", "0x10s", "constructors", "1toString"]) {
    const message = `must be a duration such as 300ms, 5s or 2m, got "${text}"`;
    assert.throws(() => parseDuration(text), { name: "RangeError", message }, `"${text}"`);
  }
});

test("a duration longer than a Node timer can hold is an error", () => {
  for (const text of ["2147483648ms", "597h", "2147483.648s", `${"9".repeat(400)}s`]) {
    const message = `must be at most 2147483647ms, got "${text}"`;
    assert.throws(() => parseDuration(text), { name: "RangeError", message }, `"${text}"`);
  }
});

test("a duration is formatted in the largest unit that keeps the number whole", () => {
  for (const [ms, want] of [
    [0, "0s"],
    [1, "1ms"],
    [999, "999ms"],
    [1_000, "1s"],
    [1_500, "1500ms"],
    [60_000, "1m"],
    [90_000, "90s"],
    [3_600_000, "1h"],
    [5_400_000, "90m"],
    [maxDurationMs, "2147483647ms"],
  ] as const) {
    assert.equal(formatDuration(ms), want);
  }
});

test("a formatted duration parses to the same number", () => {
  const random = createRandom(8);
  const drawn = [1, 1_000, 60_000].flatMap((unit) =>
    Array.from({ length: 300 }, () => Math.floor(random() * 30_000) * unit),
  );
  for (const ms of [0, 1, maxDurationMs, ...drawn]) {
    assert.equal(parseDuration(formatDuration(ms)), ms, formatDuration(ms));
  }
});
