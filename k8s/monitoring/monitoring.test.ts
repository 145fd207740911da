import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createPrometheusRule, prometheusRuleFile } from "./prometheus-rule.ts";

const folder = join(import.meta.dirname, "../components/monitoring");
const hasPromtool = spawnSync("promtool", ["--version"]).status === 0;
const skip = hasPromtool ? false : "promtool is not on this machine";

test("each alert fires when it must and not otherwise", { skip }, () => {
  for (const args of [
    ["check", "rules", "rules.yaml"],
    ["test", "rules", "rules.test.yaml"],
  ]) {
    const { status, stdout, stderr } = spawnSync("promtool", args, { cwd: folder, encoding: "utf8" });
    assert.equal(status, 0, `promtool ${args.join(" ")}: ${stdout}${stderr}`);
  }
  const rules = readFileSync(join(folder, "rules.yaml"), "utf8");
  const tests = readFileSync(join(folder, "rules.test.yaml"), "utf8");
  for (const [, alert] of rules.matchAll(/- alert: (\w+)/g))
    assert.match(tests, new RegExp(`alertname: ${alert}\\n`), `${alert} has no test in which it fires`);
});

test("the PrometheusRule has the rules of rules.yaml; node k8s/monitoring/generate.ts writes it", () => {
  assert.equal(readFileSync(prometheusRuleFile, "utf8"), createPrometheusRule());
});

test("every query of the dashboard is limited to the chosen namespace", () => {
  const { panels } = JSON.parse(readFileSync(join(folder, "dashboard.json"), "utf8"));
  type Target = { readonly expr: string };
  const queries: string[] = panels.flatMap(({ targets }: { targets: Target[] }) => targets.map(({ expr }) => expr));
  assert.ok(queries.length > 10);
  for (const query of queries) {
    const selectors = query.match(/\w+\{/g) ?? [];
    assert.equal(query.match(/\{namespace="\$namespace"/g)?.length, selectors.length, query);
  }
});
