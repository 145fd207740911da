import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { splitLines } from "./split-lines.ts";

const split = async (...chunks: string[]): Promise<string[]> =>
  (await Readable.from(splitLines(Readable.from(chunks))).toArray()).flat();

const cases: [string, string[], string[]][] = [
  ["one line a chunk", ["a\n", "b\n"], ["a", "b"]],
  ["several lines in one chunk", ["a\nb\nc\n"], ["a", "b", "c"]],
  ["a line in many chunks", ["a", "b", "c", "\n"], ["abc"]],
  ["a chunk that ends one line and begins another", ["a", "b\nc", "d\n"], ["ab", "cd"]],
  ["empty lines are left out", ["\n\na\n \n", "\n"], ["a"]],
  ["half a line at the end is dropped", ["a\nb"], ["a"]],
  ["nothing", [], []],
];
for (const [name, chunks, lines] of cases) {
  test(name, async () => assert.deepEqual(await split(...chunks), lines));
}

test("a line of 8 MB in 8000 chunks takes no time to speak of", async () => {
  const began = performance.now();
  const [line] = await split(...Array.from({ length: 8_000 }, () => "x".repeat(1_000)), "\n");
  assert.equal(line?.length, 8_000_000);
  assert.ok(performance.now() - began < 2_000);
});
