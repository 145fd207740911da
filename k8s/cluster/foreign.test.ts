import assert from "node:assert/strict";
import { test } from "node:test";
import { findForeign, foreignAmong, kindsToList } from "./foreign.ts";
import type { Kubectl, Result } from "./kubectl.ts";

const object = (kind: string, name: string, labels = {}) => ({ kind, metadata: { name, labels } });

test("objects of any kind are foreign, except those of grpc-lb and those in every namespace", () => {
  const items = [
    object("ConfigMap", "kube-root-ca.crt"),
    object("ConfigMap", "istio-ca-root-cert"),
    object("ServiceAccount", "default"),
    object("ReplicaSet", "server-1", { "app.kubernetes.io/part-of": "grpc-lb" }),
    object("Role", "theirs"),
    object("NetworkPolicy", "theirs"),
    object("ConfigMap", "kube-root-ca.crt-copy"),
    object("ServiceAccount", "default-2"),
  ];
  assert.deepEqual(foreignAmong(items), [
    "Role theirs",
    "NetworkPolicy theirs",
    "ConfigMap kube-root-ca.crt-copy",
    "ServiceAccount default-2",
  ]);
});

test("every kind is listed except those that the cluster itself writes", () => {
  const listable =
    "configmaps\nendpoints\nevents\nevents.events.k8s.io\nleases.coordination.k8s.io\nwidgets.example.com\n";
  assert.deepEqual(kindsToList(listable), ["configmaps", "widgets.example.com"]);
});

const answering = (kinds: Partial<Result>, objects: Partial<Result>) =>
  ({
    try: async ([verb]: readonly string[]) => ({
      code: 0,
      stdout: "",
      problem: "",
      ...(verb === "api-resources" ? kinds : objects),
    }),
  }) as Partial<Kubectl> as Kubectl;

test("without the right to list every kind the result is unknown", async () => {
  const forbidden = { code: 1, problem: "secrets is forbidden" };
  assert.deepEqual(await findForeign(answering({ stdout: "secrets\n" }, forbidden)), {
    unknown: "secrets is forbidden",
  });
  assert.deepEqual(await findForeign(answering({ code: 1, stdout: "pods\n", problem: "incomplete" }, {})), {
    unknown: "incomplete",
  });
  assert.deepEqual(await findForeign(answering({ stdout: "pods\n" }, { stdout: "" })), { found: [] });
});
