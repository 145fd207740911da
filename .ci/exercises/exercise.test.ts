import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../test-counts.ts";
import { listExercises, parseExercise } from "./exercise.ts";

const begin = "# Title\n\nTrack: cluster. 8 minutes. Needs: Istio, Consul.\n\n";

test("an exercise has its commands, and each the output that follows it", () => {
  const text = `${begin}\`\`\`sh exit=1 deadline=2m\nmake a\n\`\`\`\n\n\`\`\`text\nb\n\`\`\`\n\n\`\`\`sh background repeat\nc\n\`\`\`\n`;
  const { steps, ...exercise } = parseExercise("docs/workshop/cluster/01-a.md", text);
  assert.deepEqual(exercise, {
    ...{
      page: "docs/workshop/cluster/01-a.md",
      name: "01-a",
      track: "cluster",
      minutes: 8,
      needs: ["Istio", "Consul"],
    },
  });
  const plain = { exitCode: 0, deadlineMs: 60_000, isBackground: false, isRepeated: false };
  assert.deepEqual(steps, [
    { ...plain, line: 6, command: "make a", output: { line: 10, text: "b" }, exitCode: 1, deadlineMs: 120_000 },
    { ...plain, line: 14, command: "c", output: undefined, isBackground: true, isRepeated: true },
  ]);
});

for (const [mistake, text, error] of [
  ["no track", "# Title\n", /p\.md: a line must say "Track: /],
  ["an unknown word", `${begin}\`\`\`sh backgroud\nx\n\`\`\`\n`, /p\.md:5: unknown word backgroud; known words: /],
] as const) {
  test(`an exercise with ${mistake} is an error`, () => assert.throws(() => parseExercise("p.md", text), error));
}

for (const { page, minutes, steps, track } of listExercises(root)) {
  test(`${page} is complete and short`, () => {
    const text = readFileSync(join(root, page), "utf8");
    for (const part of ["**Goal.**", "**Question.**", "<summary>Answer</summary>"]) {
      assert.ok(text.includes(part), `${page} has no ${part}`);
    }
    assert.ok(page.startsWith(`docs/workshop/${track}/`), `${page} is in the folder of another track`);
    assert.ok(minutes >= 5 && minutes <= 10, `${minutes} minutes`);
    assert.ok(steps.filter(({ output }) => output).length > 0, "no command has an output");
  });
}
