/**
 * Runs the tests of every project through Nx, with its cache, and adds up their counts: `make test`. The last line is
 * `1913 passed, 0 failed`, also when every result comes from the cache. The exit code is 1 if a test or a project failed, and if no
 * test ran.
 *
 * What failed stands right before that line, where it is looked for: the output of the projects is long.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeCounts, listResults, readResults, root, sumCounts } from "./test-counts.ts";

try {
  accessSync(tmpdir(), constants.W_OK);
} catch {
  process.stderr.write(`test: cannot write to the folder for temporary files, ${tmpdir()}; set TMPDIR to another\n`);
  process.exit(1);
}

// Nx restores the counts of a cached result, so the counts that exist afterwards are those of this run.
for (const file of listResults(root)) rmSync(file);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => {}); // Nx ends first, then this program
// Tests of programs and pages wait more than they compute, so projects run beside each other that would starve a compiler. Nx would start
// the lab's tests, which take the longest, as the last: no project depends on it.
const longest = "@grpc-lb/lab";
const codes = await Promise.all([runTests("--projects", longest), runTests("--exclude", longest, "--parallel=3")]);
const results = readResults(listResults(root));
const sum = sumCounts(results);
// A project that could not start its tests has no counts.
const failed = codes.every((code) => code === 0) ? sum.failed : Math.max(1, sum.failed);
for (const failure of results.flatMap(({ failures = [] }) => failures)) process.stdout.write(`✖ ${failure}\n`);
if (sum.skipped > 0) process.stdout.write(`${sum.skipped} skipped, with their reasons above\n`);
process.stdout.write(`${describeCounts({ ...sum, failed })}\n`);
if (failed > 0 || sum.passed === 0) process.exitCode = 1;

/** Runs the tests of some projects, and returns Nx's exit code; null after a signal. */
async function runTests(...projects: readonly string[]): Promise<number | null> {
  const args = ["run-many", "-t", "test", "--output-style=static", ...projects];
  const nx = spawn(join(root, "node_modules/.bin/nx"), args, { cwd: root, stdio: "inherit" });
  const [code] = await once(nx, "close");
  return code;
}
