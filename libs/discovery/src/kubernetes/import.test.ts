import assert from "node:assert/strict";
import { test } from "node:test";
import { runToEnd } from "@grpc-lb/program/testing";

test("the import loads no yaml; reading a kubeconfig loads yaml", async () => {
  const probe = new URL("../../testing/programs/kubernetes-import.ts", import.meta.url).pathname;
  const { code, stdout, stderr } = await runToEnd(probe, []);
  assert.deepEqual(
    [code, stdout],
    [0, ["the import loads yaml: no", "a kubeconfig loads yaml: yes"]],
    stderr.join("\n"),
  );
});

test("outside of a pod and without a kubeconfig, a source says so, once, and tries again", async () => {
  const probe = new URL("../../testing/programs/kubernetes-access.ts", import.meta.url).pathname;
  const { code, stdout, stderr } = await runToEnd(probe, [], { HOME: "/nowhere" });
  assert.deepEqual(
    [code, stdout],
    [0, ["notFound kubernetes: there is no kubeconfig (KUBECONFIG, ~/.kube/config) and no pod", "snapshots: 1"]],
    stderr.join("\n"),
  );
});
