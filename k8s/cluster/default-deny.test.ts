import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../image/tag.ts";
import type { Component } from "./components.ts";
import { applyComponents, prepareDeletion } from "./default-deny.ts";
import type { Kubectl } from "./kubectl.ts";

/** What kubectl is called with when components are applied: for `apply` the patches in the kustomization and the selector. */
async function applied(wanted: readonly Component[], { isThere = false } = {}): Promise<readonly string[]> {
  const calls: string[] = [];
  const kubectl = {
    try: async () => ({ code: isThere ? 0 : 1, stdout: "", problem: isThere ? "" : "NotFound" }),
    run: async ([verb, , folder, , selector]: readonly string[]) => calls.push(`${verb} ${folder} ${selector}`),
  } as unknown as Kubectl;
  const write = (patches: readonly object[] = []) => JSON.stringify(patches);
  await applyComponents(kubectl, wanted, "of-components", write);
  return calls;
}

const open = JSON.stringify([
  {
    target: { kind: "NetworkPolicy", name: "grpc-lb-default-deny" },
    patch: '[{"op":"add","path":"/spec/ingress","value":[{}]},{"op":"add","path":"/spec/egress","value":[{}]}]',
  },
]);
const closing = ["apply [] of-components,grpc-lb.dev/applied!=last", "apply [] grpc-lb.dev/applied=last"];

test("the first policy allows everything, and denies when the others are there", async () => {
  assert.deepEqual(await applied(["network-policy", "tls"]), [`apply ${open} grpc-lb.dev/applied=last`, ...closing]);
});

test("policies that are there do not allow more meanwhile", async () => {
  assert.deepEqual(await applied(["network-policy"], { isThere: true }), closing);
});

test("components without policies are applied at once", async () => {
  assert.deepEqual(await applied(["tls"]), ["apply [] of-components"]);
});

test("only the policy that denies is applied last, and applying it takes away what it allowed", () => {
  const folder = join(root, "k8s/components");
  const labelled = globSync("**/*.yaml", { cwd: folder }).filter((file) =>
    readFileSync(join(folder, file), "utf8").includes("grpc-lb.dev/applied: last"),
  );
  assert.deepEqual(labelled, [join("network-policy", "default-deny.yaml")]);
  // An absent list would leave one that `kubectl patch` has set.
  assert.match(readFileSync(join(folder, labelled[0] ?? ""), "utf8"), /^ {2}ingress: \[\]\n {2}egress: \[\]$/m);
});

test("the policy that denies allows everything before the others are deleted, and is deleted last", async () => {
  const calls: (readonly string[])[] = [];
  const kubectl = { run: async (args: readonly string[]) => calls.push(args) } as unknown as Kubectl;
  const [client, deny, dns] = ["client", "default-deny", "dns"].map((name) => `networkpolicy/grpc-lb-${name}`);
  assert.deepEqual(await prepareDeletion(kubectl, [client, deny, dns] as string[]), [client, dns, deny]);
  assert.deepEqual(calls, [["patch", deny, "--type=merge", "--patch", '{"spec":{"ingress":[{}],"egress":[{}]}}']]);
  assert.deepEqual(await prepareDeletion(kubectl, [dns] as string[]), [dns]);
  assert.equal(calls.length, 1);
});
