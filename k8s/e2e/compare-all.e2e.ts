/** `make kube-compare` for every strategy with every measurement: `make e2e-long`. It takes about a quarter of an hour. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { programs } from "../cluster/companion.ts";
import { compare, imagesOf, isSandbox } from "./compare-run.ts";
import { buildImages } from "./images.ts";
import { report } from "./report.ts";

test("every strategy is what it must be", async (t) => {
  await buildImages();
  const { variables, missing } = await imagesOf(programs);
  for (const why of missing) report(t, why);
  const compared = await compare(variables);
  for (const line of compared.report.split("\n").filter(Boolean)) report(t, line);
  assert.equal(compared.code, 0, compared.lines.join("\n"));
  const unexpected = compared.skipped.filter(({ reason }) => !/no ready istiod/.test(reason));
  if ((await isSandbox()) && missing.length === 0) assert.deepEqual(unexpected, [], "the sandbox can run them all");
});
