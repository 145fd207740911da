import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The root of the repository. */
export const root = join(import.meta.dirname, "..");

/** How the tests of a project ended. */
export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** What a project has of its last run. */
export interface TestResults extends TestCounts {
  /** What each failed test says: its file, its name and its error. */
  readonly failures?: readonly string[];
}

/** Where a project has the results of its last run. */
export const resultsFile = "out/tests.json";

/** The files of results that are in a checkout. */
export function listResults(folder: string): string[] {
  const projects = ["protos", "k8s", ".ci", "libs/*", "apps/*"];
  return globSync(
    projects.map((project) => `${project}/${resultsFile}`),
    { cwd: folder },
  ).map((path) => join(folder, path));
}

/** The results in these files. */
export function readResults(files: readonly string[]): TestResults[] {
  return files.map((file): TestResults => JSON.parse(readFileSync(file, "utf8")));
}

/** The sum of the counts. */
export function sumCounts(all: readonly TestCounts[]): TestCounts {
  const sum = { passed: 0, failed: 0, skipped: 0 };
  for (const counts of all) for (const name of ["passed", "failed", "skipped"] as const) sum[name] += counts[name];
  return sum;
}

/** `58 passed, 0 failed`. */
export function describeCounts({ passed, failed }: TestCounts): string {
  return `${passed} passed, ${failed} failed`;
}
