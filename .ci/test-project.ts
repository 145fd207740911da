/**
 * Runs the tests of one project, each file in a process of its own: `node .ci/test-project.ts libs/core`. A number after the
 * project is how many files run at once at least, for tests that wait most of their time. Writes the counts and the
 * failures to the project's out/tests.json, which Nx caches with the output, so that `make test` can add them up.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join, relative } from "node:path";
import { Readable } from "node:stream";
import { run } from "node:test";
import { inspect, stripVTControlCharacters } from "node:util";
import { describeCounts, resultsFile, root } from "./test-counts.ts";

/** Nx runs four projects at a time. Tests wait for processes and sockets, so more files than processors run at once. */
const filesAtOnce = Math.max(1, Number(process.argv[3] ?? 1), Math.round((availableParallelism() + 1) / 3));
/** The longest that one test may take, and the longest for all: a file whose process does not end is ended and fails. */
const testLimitMs = 120_000;
const projectLimitMs = 600_000;

/** Of the errors of failed tests, for the end of `make test`: how many, and how many lines of each. */
const maxFailures = 10;
const maxFailureLines = 25;

const project = process.argv[2];
if (project === undefined) {
  process.stderr.write("test-project: name the project's folder: node .ci/test-project.ts libs/core\n");
  process.exit(2);
}

// Tests must see the same environment with Nx and without it, and a cached output has no colours.
for (const name of Object.keys(process.env)) if (/^(?:NX_|FORCE_COLOR$)/.test(name)) delete process.env[name];
const { spec } = await import("node:test/reporters"); // which reads FORCE_COLOR
// The tests start hundreds of programs; Node compiles each file once.
process.env.NODE_COMPILE_CACHE ??= join(root, "node_modules/.cache/node");

const results = join(root, project, resultsFile);
rmSync(results, { force: true });
const interruption = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => interruption.abort());

const startedMs = performance.now();
const events = run({
  cwd: root,
  globPatterns: [`${project}/**/*.test.ts`],
  concurrency: filesAtOnce,
  timeout: testLimitMs,
  signal: AbortSignal.any([interruption.signal, AbortSignal.timeout(projectLimitMs)]),
});
let counts = { passed: 0, failed: 0, skipped: 0 };
events.on("test:summary", ({ file, counts: total, success }) => {
  if (file !== undefined) return; // the summary of one file
  const skipped = total.skipped + total.todo;
  const failed = total.tests - total.passed - skipped;
  counts = { passed: total.passed, failed: success ? failed : Math.max(1, failed), skipped };
});
const failures: string[] = [];
events.on("test:fail", ({ name, file, line, todo, details: { error } }) => {
  // The failed tests of a suite have events of their own.
  const isOfSuite = "failureType" in error && error.failureType === "subtestsFailed";
  if (todo !== undefined || isOfSuite || failures.length >= maxFailures) return;
  const place = file === undefined ? project : `${relative(root, file)}:${line ?? 1}`;
  const lines = stripVTControlCharacters(inspect(error.cause ?? error))
    .split("\n")
    .slice(0, maxFailureLines);
  failures.push([`${place} ${name}`, ...lines].join("\n    "));
});
for await (const text of Readable.from(withoutTotals(events)).pipe(new spec())) process.stdout.write(text);

mkdirSync(dirname(results), { recursive: true });
writeFileSync(results, `${JSON.stringify({ ...counts, failures })}\n`);
const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
process.stdout.write(`${project}: ${describeCounts(counts)}, ${counts.skipped} skipped in ${seconds} s\n`);
if (counts.passed === 0) process.stderr.write(`${project}: no test passed\n`);
if (counts.failed > 0 || counts.passed === 0) process.exitCode = 1;

/** Leaves out the diagnostics that belong to no file: the totals, which the last line has. */
async function* withoutTotals(source: AsyncIterable<{ type: string; data: { file?: string } }>) {
  for await (const event of source) if (event.type !== "test:diagnostic" || event.data.file !== undefined) yield event;
}
