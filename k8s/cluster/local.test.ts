import assert from "node:assert/strict";
import { test } from "node:test";
import type { ContextView } from "./kubectl.ts";
import { localCluster } from "./local.ts";

const view = (context: string, cluster: string, provider?: string): ContextView => ({
  "current-context": context,
  clusters: [{ name: cluster, cluster: provider === undefined ? {} : { extensions: [{ extension: { provider } }] } }],
});

const cases: [name: string, view: ContextView, load: string | null | undefined][] = [
  ["kind", view("kind-dev", "kind-dev"), "kind load docker-image --name dev"],
  ["kind under another context", view("work", "kind-dev"), "kind load docker-image --name dev"],
  ["k3d", view("k3d-dev", "k3d-dev"), "k3d image import --cluster dev"],
  ["minikube", view("minikube", "minikube"), "minikube --profile minikube image load"],
  ["a profile of minikube", view("p2", "p2", "minikube.sigs.k8s.io"), "minikube --profile p2 image load"],
  ["the sandbox", view("sandbox", "sandbox"), "/s/sandbox load"],
  ["docker-desktop, which has docker's images", view("docker-desktop", "docker-desktop"), null],
  ["a cluster elsewhere", view("prod", "gke_x_europe-west1_prod"), undefined],
  ["no cluster", {}, undefined],
];

for (const [name, context, load] of cases) {
  test(`images go to ${name}: ${load === undefined ? "no" : (load ?? "nothing to do")}`, () => {
    const found = localCluster(context, "/s/sandbox");
    assert.equal(found === null ? undefined : (found.load?.join(" ") ?? null), load);
  });
}
