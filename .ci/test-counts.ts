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

/** Where a project has the counts of its last run. */
export const resultsFile = "out/tests.json";

/** The files of counts that are in a checkout. */
export function listResults(folder: string): string[] {
  const projects = ["protos", "k8s", ".ci", "libs/*", "apps/*"];
  return globSync(
    projects.map((project) => `${project}/${resultsFile}`),
    { cwd: folder },
  ).map((path) => join(folder, path));
}

/** The sum of the counts in these files. */
export function sumCounts(files: readonly string[]): TestCounts {
  const sum = { passed: 0, failed: 0, skipped: 0 };
  for (const file of files) {
    const counts: TestCounts = JSON.parse(readFileSync(file, "utf8"));
    for (const name of ["passed", "failed", "skipped"] as const) sum[name] += counts[name];
  }
  return sum;
}

/** `58 passed, 0 failed`. */
export function describeCounts({ passed, failed }: TestCounts): string {
  return `${passed} passed, ${failed} failed`;
}
