import assert from "node:assert/strict";
import { test } from "node:test";
import { findForeign, foreignAmong, kindsToLookThrough } from "./foreign.ts";
import type { Kubectl, Result } from "./kubectl.ts";

const object = (kind: string, name: string, labels = {}) => ({ kind, metadata: { name, labels } });

test("objects of any kind are other people's, but not ours nor those of every namespace", () => {
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

test("every kind is looked through but those that the cluster writes by itself", () => {
  const listable =
    "configmaps\nendpoints\nevents\nevents.events.k8s.io\nleases.coordination.k8s.io\nwidgets.example.com\n";
  assert.deepEqual(kindsToLookThrough(listable), ["configmaps", "widgets.example.com"]);
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

test("who may not list all kinds, or gets no list of them, does not know", async () => {
  const forbidden = { code: 1, problem: "secrets is forbidden" };
  assert.deepEqual(await findForeign(answering({ stdout: "secrets\n" }, forbidden)), {
    unknown: "secrets is forbidden",
  });
  assert.deepEqual(await findForeign(answering({ code: 1, stdout: "pods\n", problem: "incomplete" }, {})), {
    unknown: "incomplete",
  });
  assert.deepEqual(await findForeign(answering({ stdout: "pods\n" }, { stdout: "" })), { found: [] });
});
