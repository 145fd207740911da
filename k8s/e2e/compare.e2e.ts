/** `make kube-compare` for strategies whose difference matters most, several at a time, and its end by Ctrl-C. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { watchChild } from "@grpc-lb/program/testing";
import { root } from "../image/tag.ts";
import { compare, freshNamespace, imagesOf, isSandbox, namespacesOf } from "./compare-run.ts";
import { buildImages } from "./images.ts";
import { progress, report } from "./report.ts";
import { until } from "./until.ts";

const wanted = {
  clusterip: "PINNED",
  "headless-dns": "BALANCED",
  resolver: "BALANCED",
  envoy: "BALANCED",
  istio: "BALANCED",
} as const;

describe("make kube-compare", { concurrency: true }, () => {
  it("each strategy gets its verdict, and a watching client calls a new pod within seconds", async (t) => {
    await buildImages();
    const { variables, missing } = await imagesOf(["envoy"]);
    for (const why of missing) report(t, why);
    const compared = await compare({
      ...variables,
      STRATEGIES: Object.keys(wanted).join(","),
      STEPS: "new-pod",
      PARALLEL: "3",
    });
    for (const { strategy, verdict, podsReached, pods, firstCallOnNewPodMs } of compared.strategies)
      report(
        t,
        `${strategy}: ${verdict}, ${podsReached} of ${pods} pods, ${firstCallOnNewPodMs === null ? "no call on the new pod" : `new pod after ${firstCallOnNewPodMs} ms`}`,
      );
    for (const { strategy, reason } of compared.skipped) report(t, `${strategy} is skipped: ${reason}`);
    assert.equal(compared.code, 0, compared.lines.join("\n"));
    for (const { strategy, verdict } of compared.strategies)
      assert.equal(verdict, wanted[strategy as keyof typeof wanted], strategy);
    const names = [...compared.strategies, ...compared.skipped].map(({ strategy }) => strategy);
    assert.deepEqual(names.sort(), Object.keys(wanted).sort());
    if (await isSandbox()) assert.deepEqual([missing, compared.skipped], [[], []], "the sandbox can run them all");
    const resolver = compared.strategies.find(({ strategy }) => strategy === "resolver");
    assert.ok((resolver?.firstCallOnNewPodMs ?? Number.POSITIVE_INFINITY) <= 2_000, "the resolver watches the pods");
    assert.match(compared.report, /^\| clusterip \| 1 of 3 \|/m);
  });

  it("Ctrl-C ends the comparison and deletes its namespace", async (t) => {
    const namespace = freshNamespace();
    progress(`NAMESPACE=${namespace} STRATEGIES=clusterip kube-compare, and Ctrl-C`);
    const comparison = watchChild({
      command: process.execPath,
      args: [join(root, "k8s/cluster/compare.ts")],
      env: { ...(process.env as Record<string, string>), NAMESPACE: namespace, STRATEGIES: "clusterip" },
    });
    await until("the namespace to exist", 60_000, async () => {
      const found = await namespacesOf(namespace);
      return found.length > 0 ? { value: found } : { seen: comparison.stderr.join("; ") };
    });
    comparison.kill("SIGINT");
    const { code } = await comparison.exited;
    assert.equal(code, 130, comparison.stderr.join("\n"));
    await until("the namespace to be gone", 120_000, async () => {
      const found = await namespacesOf(namespace);
      return found.length === 0 ? { value: true } : { seen: found.join(", ") };
    });
    report(t, `exit code 130: ${comparison.stderr.at(-1)}`);
  });
});
