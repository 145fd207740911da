/**
 * What COMPONENTS adds to a strategy, on a real cluster: combinations that the API server validates, policies tried from inside and from
 * another namespace, an autoscaler that owns the number of pods, and how both are taken away.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readSecrets } from "../cluster/certificates.ts";
import { createKubectl } from "../cluster/kubectl.ts";
import { strategies } from "../cluster/strategy.ts";
import { requireBuilt } from "../image/built.ts";
import { nextCalls } from "./client.ts";
import { combinationsOf, dryRun, renderCombinations, singlesAndLargest } from "./combinations.ts";
import { connectFrom, type Outcome } from "./connect.ts";
import { buildImages } from "./images.ts";
import { makeFails, makeOk } from "./make.ts";
import { installOperatorKinds } from "./operator-kinds.ts";
import { readyServersOf, scaleServer } from "./server.ts";
import { beginStory } from "./story.ts";
import { until } from "./until.ts";

const { namespace, kubectl, inNamespace, step, report, stopAtEnd, requireNoErrors } = await beginStory("components", [
  "stranger",
  "combinations",
]);
const stranger = await createKubectl(`${namespace}-stranger`);
const resolver = { ...inNamespace, STRATEGY: "resolver" };
let server = "";

step("a wrong name or combination is an error before anything changes", async (t) => {
  await buildImages();
  report(
    t,
    await makeFails("kube-deploy", { ...resolver, COMPONENTS: "hpa" }, /--components must be a list of|COMPONENTS/),
  );
  const nodeport = { ...inNamespace, STRATEGY: "nodeport", COMPONENTS: "network-policy" };
  report(t, await makeFails("kube-deploy", nodeport, /cannot be combined with STRATEGY=nodeport/));
});

// Of one strategy all, because components patch the same Deployments. Of each other one every component alone, and every largest set, in which
// any two that go together are together: all of all would be 5888, for objects that nearly all are among these.
step("the API server accepts every combination of components, by a dry run", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "grpc-lb-e2e-certs-"));
  stopAtEnd({ stop: async () => rmSync(folder, { recursive: true }) });
  await makeOk("certs", { OUT: folder });
  const operators = await installOperatorKinds(kubectl);
  assert.ok(typeof operators !== "string", `the kinds of the operators: ${operators}`);
  stopAtEnd(operators);
  report(t, `kinds without their operators: ${operators.kinds.join(", ") || "none"}`);
  const restricted = {
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/warn": "restricted",
  };
  const dry = await createKubectl(`${namespace}-combinations`);
  const object = { apiVersion: "v1", kind: "Namespace", metadata: { name: dry.namespace, labels: restricted } };
  await dry.run(["create", "-f", "-"], { input: JSON.stringify(object) });

  const chosen = strategies.map((strategy) => {
    const all = combinationsOf(strategy);
    return { strategy, all: all.length, some: strategy === "resolver" ? all : singlesAndLargest(all) };
  });
  const combinations = chosen.flatMap(({ some }) => some);
  const objects = await renderCombinations(dry, requireBuilt(""), combinations);
  for (const component of ["tls", "mtls"] as const) {
    const combination = { strategy: "resolver", set: [component] } as const;
    for (const secret of readSecrets([component], folder)) objects.set(`${JSON.stringify(secret)}\n`, combination);
  }
  const { accepted, problems } = await dryRun(dry, objects);
  assert.deepEqual(problems, []);
  assert.equal(accepted, objects.size);
  const counts = chosen.map(({ strategy, all, some }) => `${strategy} ${some.length} of ${all}`);
  report(t, `${combinations.length} combinations (${counts.join(", ")}) have ${accepted} different objects`);
});

step("make kube-deploy COMPONENTS=hpa-cpu,network-policy: both clients reach every server", async (t) => {
  await makeOk("kube-deploy", { ...resolver, COMPONENTS: "hpa-cpu,network-policy" });
  const servers = await readyServersOf(kubectl, 3);
  for (const client of ["client-http", "client-grpc"] as const) {
    const reached = new Set(await nextCalls(kubectl, client, 15));
    assert.deepEqual([...reached].sort(), [...servers].sort(), client);
  }
  await requireNoErrors(t);
});

step("what must pass passes, and what must not is dropped, inside and from another namespace", async (t) => {
  const image = (await kubectl.get(["deployment", "client-grpc"])).spec.template.spec.containers[0].image;
  await stranger.run(["create", "namespace", stranger.namespace]);
  const args = ["run", "stranger", `--image=${image}`, "--image-pull-policy=IfNotPresent", "--command", "--"];
  await stranger.run([...args, "node", "-e", "require('node:net').createServer().listen(8080)"]);
  await stranger.run(["wait", "--for=condition=Ready", "pod/stranger", "--timeout=60s"]);
  const ipOf = async (kube: typeof kubectl, labels: string) =>
    (await kube.get(["pods", "-l", labels])).items[0].status.podIP as string;
  server = await ipOf(kubectl, "app=server");
  const outside = `${await ipOf(stranger, "run=stranger")}:8080`;
  const client = await ipOf(kubectl, "app=client-grpc");
  const api = "kubernetes.default.svc:443";

  const expected: readonly (readonly [typeof kubectl, string, Readonly<Record<string, Outcome>>])[] = [
    [
      kubectl,
      "deployment/client-grpc",
      // Of the server's port 9 the policy drops what a server without policies would refuse.
      { [`${server}:30051`]: "connected", [`${server}:9`]: "dropped", [api]: "connected", [outside]: "dropped" },
    ],
    [kubectl, "deployment/client-http", { "server:80": "connected", [api]: "dropped", [outside]: "dropped" }],
    [kubectl, "deployment/server", { [`${client}:30051`]: "dropped", [api]: "dropped", [outside]: "dropped" }],
    [
      stranger,
      "pod/stranger",
      {
        [`${server}:30051`]: "dropped",
        [`${server}:8080`]: "dropped",
        [`${server}:9464`]: "dropped",
        [`server.${namespace}:80`]: "dropped",
        [`${client}:9464`]: "dropped",
      },
    ],
  ];
  await Promise.all(
    expected.map(async ([kube, pod, wanted]) => {
      const addresses = Object.keys(wanted);
      const outcomes = await connectFrom(kube, pod, addresses);
      const got = Object.fromEntries(addresses.map((address, index) => [address, outcomes[index]]));
      assert.deepEqual(got, wanted, `from ${pod}`);
      const lines = addresses.map((address) => `${address.replace(namespace, "…")} ${got[address]}`);
      report(t, `from ${pod}: ${lines.join(", ")}`);
    }),
  );
});

step("without network-policy in COMPONENTS nothing denies, and the autoscaler's number of pods stays", async (t) => {
  const replicas = async () => (await kubectl.get(["deployment", "server"])).spec.replicas as number;
  // So that 4 pods stay without load.
  const noWayDown = '{"spec":{"behavior":{"scaleDown":{"selectPolicy":"Disabled"}}}}';
  await kubectl.run(["patch", "hpa", "server", "--type=merge", "-p", noWayDown]);
  // Without the policies first: a network plugin learns the address of a new pod late, and drops what it may not know yet.
  await makeOk("kube-deploy", { ...resolver, COMPONENTS: "hpa-cpu" });
  await scaleServer(kubectl, 4);
  await makeOk("kube-deploy", { ...resolver, COMPONENTS: "hpa-cpu" });
  assert.equal(await replicas(), 4);
  assert.deepEqual((await kubectl.get(["networkpolicies"])).items, []);
  await until("a connection from another namespace", 30_000, async () => {
    const [seen = "none"] = await connectFrom(stranger, "pod/stranger", [`${server}:30051`]);
    return seen === "connected" ? { value: true } : { seen };
  });
  report(t, "4 pods before and after kube-deploy; another namespace can connect");
  await requireNoErrors(t);
});

step("kube-delete deletes what components added", async () => {
  await makeOk("kube-delete", inNamespace);
  const { problem } = await kubectl.try(["get", "namespace", namespace]);
  assert.match(problem, /NotFound/, "kube-deploy created the namespace, and nothing is left in it");
});
