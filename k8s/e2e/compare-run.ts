import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { imageVariable, type Program } from "../cluster/companion.ts";
import { createKubectl } from "../cluster/kubectl.ts";
import { prefixVariables } from "./images.ts";
import { make } from "./make.ts";
import { programImage } from "./program-image.ts";
import { findSandbox } from "./sandbox.ts";

/** A strategy in the JSON output of kube-compare. */
export interface ComparedStrategy {
  readonly strategy: string;
  readonly verdict: string | null;
  readonly failure: string | null;
  readonly podsReached: number;
  readonly pods: number;
  readonly firstCallOnNewPodMs?: number | null;
  readonly failedCallsWhenKilled?: number;
  readonly failedCallsInRestart?: number;
}

/** The result of kube-compare. */
export interface Compared {
  readonly code: number | null;
  readonly lines: readonly string[];
  readonly strategies: readonly ComparedStrategy[];
  readonly skipped: readonly { readonly strategy: string; readonly reason: string }[];
  /** The report in Markdown. */
  readonly report: string;
}

/** A name that no other run has, for the namespaces of a comparison. */
export const freshNamespace = () => `grpc-lb-e2e-compare-${randomBytes(3).toString("hex")}`;

/** The variables that name images for these programs, and the reasons for those that have none. */
export async function imagesOf(programs: readonly Program[]) {
  const cluster = await createKubectl("");
  const variables: Record<string, string> = { ...prefixVariables };
  const missing: string[] = [];
  for (const program of programs) {
    const found = await programImage(cluster, program);
    if (found.image === null) missing.push(found.why);
    else if (found.image !== "") variables[imageVariable(program)] = found.image;
  }
  return { variables, missing };
}

/** Runs `make kube-compare ARGS=--json`, whose stdout must be one line of JSON, and whose namespaces must be gone. */
export async function compare(variables: Readonly<Record<string, string>>): Promise<Compared> {
  const namespace = freshNamespace();
  const folder = mkdtempSync(join(tmpdir(), "grpc-lb-e2e-"));
  const file = join(folder, "report.md");
  try {
    const given = { ...variables, NAMESPACE: namespace, ARGS: "--json", REPORT: file };
    const { code, lines, stdout } = await make("kube-compare", given);
    assert.equal(stdout.length, 1, `stdout must be one line of JSON, got:\n${stdout.join("\n")}`);
    assert.deepEqual(await namespacesOf(namespace), [], "the namespaces must be gone");
    return { code, lines, ...JSON.parse(stdout[0] ?? ""), report: readFileSync(file, "utf8") };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The namespaces whose names begin so. */
export async function namespacesOf(prefix: string): Promise<readonly string[]> {
  const cluster = await createKubectl("");
  const { items } = await cluster.get(["namespaces"]);
  return items
    .map(({ metadata }: { metadata: { name: string } }) => metadata.name)
    .filter((name: string) => name.startsWith(prefix));
}

/** Whether the current context is the sandbox, where every strategy can run. */
export async function isSandbox(): Promise<boolean> {
  return (await findSandbox(await createKubectl(""))) !== undefined;
}
