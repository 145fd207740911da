import assert from "node:assert/strict";
import { test } from "node:test";
import { runToEnd } from "@grpc-lb/program/testing";

const importProbe = new URL("../../testing/programs/kubernetes-import.ts", import.meta.url).pathname;

test("the import loads no package, a kubeconfig loads yaml, and client-node is loaded to refresh an OIDC token", async () => {
  const { code, stdout, stderr } = await runToEnd(importProbe, []);
  assert.deepEqual(
    [code, stdout.slice(0, 3)],
    [0, ["the import: ", "a valid token: yaml", "an expired token: @kubernetes/client-node,openid-client,yaml"]],
    stderr.join("\n"),
  );
  assert.match(stdout[3] ?? "", /127\.0\.0\.1:1: connect ECONNREFUSED/);
});

test("without client-node, the refresh of an OIDC token is an error that names the package and how to install it", async () => {
  const { code, stdout, stderr } = await runToEnd(importProbe, ["missing"]);
  assert.equal(code, 0, stderr.join("\n"));
  assert.match(
    stdout.at(-1) ?? "",
    /needs the package @kubernetes\/client-node: npm install "@kubernetes\/client-node@\^2\.0\.0"$/,
  );
});

test("outside of a pod and without a kubeconfig, a source reports an error once, and retries", async () => {
  const probe = new URL("../../testing/programs/kubernetes-access.ts", import.meta.url).pathname;
  const { code, stdout, stderr } = await runToEnd(probe, [], { HOME: "/nowhere" });
  assert.deepEqual(
    [code, stdout],
    [0, ["notFound kubernetes: there is no kubeconfig (KUBECONFIG, ~/.kube/config) and no pod", "snapshots: 1"]],
    stderr.join("\n"),
  );
});
