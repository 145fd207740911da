import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../image/tag.ts";
import type { Component } from "./components.ts";
import { readReplacement, replacementOf, serverVariables } from "./demands.ts";
import type { Kubectl } from "./kubectl.ts";

const clientsFirst = { clientsFirst: true, failsCalls: false };
const serverFirst = { clientsFirst: false, failsCalls: false };
const failing = { clientsFirst: false, failsCalls: true };

const cases: [from: Component[], to: Component[], wanted: typeof serverFirst][] = [
  [[], [], serverFirst],
  [[], ["jwt"], clientsFirst],
  [["jwt"], [], serverFirst],
  [["tls"], ["mtls"], clientsFirst],
  [["tls"], ["mtls", "jwt"], clientsFirst],
  [["mtls"], ["mtls-cert-manager"], serverFirst],
  [["mtls", "jwt"], ["tls"], serverFirst],
  [[], ["tls"], failing],
  [["mtls"], [], failing],
  [["mtls"], ["tls", "jwt"], failing],
];
const variablesOf = (components: readonly Component[]) => components.flatMap((name) => serverVariables[name] ?? []);

for (const [from, to, wanted] of cases) {
  const order = wanted.failsCalls
    ? "calls fail"
    : wanted.clientsFirst
      ? "the clients are first"
      : "the server is first";
  test(`from ${from.join(",") || "nothing"} to ${to.join(",") || "nothing"}: ${order}`, () => {
    assert.deepEqual(replacementOf(new Set(variablesOf(from)), to, false), wanted);
  });
}

test("clients that will call in another way too are not the first", () => {
  assert.deepEqual(replacementOf(new Set(), ["jwt"], true), failing);
  assert.deepEqual(replacementOf(new Set(["AUTH_JWKS"]), ["jwt"], true), serverFirst);
});

test("the variables are those of the manifests", () => {
  for (const [component, variables] of Object.entries(serverVariables)) {
    const own = component === "tls" ? variables : variables.filter((name) => name !== "TLS_CERT");
    const text = readFileSync(join(root, "k8s/components", component, "kustomization.yaml"), "utf8");
    if (component !== "mtls-cert-manager")
      for (const name of own) assert.match(text, new RegExp(`name: ${name}$`, "m"));
    else assert.match(text, /^ {2}- \.\.\/mtls$/m);
  }
});

test("what runs is read from both Deployments, and the server is the first where one is missing", async () => {
  const server = { spec: { template: { spec: { containers: [{ name: "server", env: [{ name: "TLS_CERT" }] }] } } } };
  const client = {
    metadata: { name: "client-grpc", annotations: { "grpc-lb.dev/strategy": "resolver" } },
    spec: { template: { spec: { containers: [] } } },
  };
  const answers = (code: number) =>
    ({
      try: async () => ({ code, stdout: JSON.stringify({ items: [server, client] }), problem: "" }),
    }) as unknown as Kubectl;
  assert.deepEqual(await readReplacement(answers(0), ["mtls"], "resolver"), clientsFirst);
  assert.deepEqual(await readReplacement(answers(0), ["mtls"], "etcd"), failing);
  assert.deepEqual(await readReplacement(answers(1), ["mtls"], "resolver"), serverFirst);
});
