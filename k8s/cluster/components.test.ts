import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  apiServerPatch,
  components,
  componentsFlag,
  removeOtherComponents,
  replicasPatch,
  requireCombination,
} from "./components.ts";
import type { Kubectl, Result } from "./kubectl.ts";

test("COMPONENTS is a list of folders in k8s/components, in any order, each once", () => {
  assert.deepEqual(componentsFlag.parse("network-policy, hpa-cpu,network-policy"), ["hpa-cpu", "network-policy"]);
  assert.throws(() => componentsFlag.parse("hpa-cpu,vpa"), { message: /^must be a list of .*, got "vpa"$/ });
  for (const name of components)
    assert.ok(existsSync(join(import.meta.dirname, "../components", name, "kustomization.yaml")), name);
});

test("components that exclude the strategy, or lack what they need, are a wrong value", () => {
  requireCombination(["hpa-cpu", "network-policy"], "resolver");
  requireCombination(["etcd-backup", "etcd-restore"], "etcd");
  assert.throws(() => requireCombination(["hpa-cpu", "hpa-grpc-rate"], "resolver"), {
    message: /^COMPONENTS has two for the autoscaler of the server, hpa-cpu and hpa-grpc-rate; choose one$/,
  });
  assert.throws(() => requireCombination(["etcd-backup"], "consul"), { message: /needs STRATEGY=etcd, got consul$/ });
  assert.throws(() => requireCombination(["etcd-restore"], "etcd"), { message: /needs etcd-backup too$/ });
  assert.throws(() => requireCombination(["network-policy"], "nodeport"), {
    exitCode: 2,
    message: /^COMPONENTS=network-policy cannot be combined with STRATEGY=nodeport, whose calls/,
  });
});

test("objects of components that are no longer wanted are deleted, and only where there are some", async () => {
  const none = new Set<string>();
  const calls: (readonly string[])[] = [];
  const kubectlWith = (listed: Partial<Result>) =>
    ({
      try: async (args: readonly string[]) => {
        calls.push(args);
        return { code: 0, stdout: "", problem: "", ...listed };
      },
      run: async (args: readonly string[]) => {
        calls.push(args);
        return "";
      },
    }) as unknown as Kubectl;
  await removeOtherComponents(
    kubectlWith({ stdout: "networkpolicy.networking.k8s.io/grpc-lb-dns\n" }),
    ["hpa-cpu"],
    none,
  );
  assert.deepEqual(
    calls.map((args) => args.slice(0, 4)),
    [
      [
        "get",
        "horizontalpodautoscalers.autoscaling,networkpolicies.networking.k8s.io,cronjobs.batch",
        "-l",
        "grpc-lb.dev/component,grpc-lb.dev/component!=hpa-cpu",
      ],
      ["delete", "networkpolicy.networking.k8s.io/grpc-lb-dns", "--ignore-not-found", "--timeout=60s"],
    ],
  );
  calls.length = 0;
  await removeOtherComponents(kubectlWith({}), [], none);
  await removeOtherComponents(kubectlWith({ code: 1, problem: "Forbidden" }), [], none);
  assert.equal(calls.length, 2);
});

test("with an autoscaler kube-deploy keeps the number of pods, and starts with its minimum", async () => {
  const kubectl = (answer: Partial<Result>) =>
    ({ try: async () => ({ code: 0, stdout: "", problem: "", ...answer }) }) as unknown as Kubectl;
  const replicas = async (answer: Partial<Result>) => {
    const [{ patch }] = (await replicasPatch(kubectl(answer), ["hpa-cpu"])) as [{ patch: string }];
    return JSON.parse(patch).spec.replicas;
  };
  assert.equal(await replicas({ stdout: "7" }), 7);
  assert.equal(await replicas({ code: 1, problem: "NotFound" }), 3);
  assert.deepEqual(await replicasPatch(kubectl({}), ["network-policy"]), []);
});

test("network-policy lets pods that watch the API server reach its addresses alone", async (t) => {
  const answers = (service: Partial<Result>) =>
    ({
      try: async ([, what]: readonly string[]) => ({
        code: 0,
        stdout: JSON.stringify({ items: [{ endpoints: [{ addresses: ["10.200.0.2"] }] }, {}] }),
        problem: "",
        ...(what === "service" ? service : {}),
      }),
    }) as unknown as Kubectl;
  const service = { stdout: JSON.stringify({ spec: { clusterIPs: ["10.96.0.1", "fd00::1"] } }) };
  const [{ patch }] = (await apiServerPatch(answers(service), ["network-policy"])) as [{ patch: string }];
  const [{ value }] = JSON.parse(patch);
  assert.deepEqual(
    value.map(({ ipBlock }: { ipBlock: { cidr: string } }) => ipBlock.cidr),
    ["10.96.0.1/32", "fd00::1/128", "10.200.0.2/32"],
  );
  const write = t.mock.method(process.stderr, "write", () => true);
  const unread = await apiServerPatch(answers({ code: 1 }), ["network-policy"]);
  write.mock.restore();
  assert.deepEqual([unread, write.mock.callCount()], [[], 1]);
  assert.deepEqual(await apiServerPatch(answers(service), ["tls"]), []);
});
