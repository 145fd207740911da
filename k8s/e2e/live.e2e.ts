/**
 * The live page of a namespace: what it shows, that its Role allows it to read and no more unless it is allowed more, what it may do
 * then, and that nothing of it is left.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { untilServerSent } from "@grpc-lb/core/testing";
import { runToEnd, startProgram } from "@grpc-lb/program/testing";
import { root } from "../image/tag.ts";
import { buildImages } from "./images.ts";
import { makeOk } from "./make.ts";
import { readyServersOf } from "./server.ts";
import { beginStory } from "./story.ts";
import { until } from "./until.ts";

const { namespace, kubectl, inNamespace, step, report, stopAtEnd, setCallInterval } = await beginStory("live");

const env = process.env as Record<string, string>;

/** Starts kube-live; the story stops it. */
async function startLive(args: readonly string[] = []) {
  const live = startProgram(join(root, "k8s/live/main.ts"), ["--namespace", namespace, ...args], env);
  const stop = async () => void (await live.stop(60_000));
  stopAtEnd({ stop });
  const url = await live.line((line) => line.startsWith("http://127.0.0.1:"));
  return { live, url };
}

// biome-ignore lint/suspicious/noExplicitAny: the page's state, whose type is the page's own
const untilState = (url: string, what: string, matches: (state: any) => boolean) =>
  untilServerSent(`${url}/events`, "state", what, matches, 90_000);

const press = async (url: string, action: string) =>
  (await fetch(`${url}/actions/${action}`, { method: "POST", headers: { origin: url } })).status;

step("make kube-deploy STRATEGY=resolver", async () => {
  await buildImages();
  await makeOk("kube-deploy", { ...inNamespace, STRATEGY: "resolver" });
  await setCallInterval("100ms");
  await readyServersOf(kubectl, 3);
});

const account = `--as=system:serviceaccount:${namespace}:live`;

/** Which of these rights the page's pod has. */
async function rightsOf(rights: readonly string[]): Promise<readonly string[]> {
  const has = async (right: string) =>
    (await kubectl.try(["auth", "can-i", ...right.split(" "), account])).stdout.trim() === "yes";
  const found = await Promise.all(rights.map(async (right) => ((await has(right)) ? [right] : [])));
  return found.flat();
}

const reading = [
  ...["list pods", "watch pods", "get pods --subresource=log"],
  ...["list endpointslices.discovery.k8s.io", "watch endpointslices.discovery.k8s.io"],
];
const acting = [
  ...["delete pods", "get deployments.apps/server --subresource=scale"],
  ...["patch deployments.apps/server --subresource=scale", "patch deployments.apps/server"],
  ...["patch deployments.apps/client-http", "patch deployments.apps/client-grpc"],
];
const more = [
  ...["get secrets", "list services", "create pods", "create pods --subresource=exec", "list pods --namespace=default"],
  ...[
    "patch deployments.apps",
    "get deployments.apps",
    "delete deployments.apps/server",
    "patch roles.rbac.authorization.k8s.io",
  ],
];

/** What the page has in the cluster. */
const objectsOfPage = async () =>
  (await kubectl.run(["get", "all,serviceaccounts,roles,rolebindings", "-l", "app=live", "-o", "name"])).trim();

step("the page shows the pods with their nodes and the verdicts, and its pod may read and no more", async (t) => {
  const { live, url } = await startLive();
  const { pods, clients, happenings } = await untilState(url, "the verdicts", ({ clients }) =>
    clients.every(({ verdict }: { verdict: { word: string } }) => verdict.word === "BALANCED"),
  );
  assert.deepEqual(
    pods.map(({ state, node }: { state: string; node: string }) => [state, node !== ""]),
    Array(3).fill(["ready", true]),
  );
  report(t, clients.map(({ name, calls }: { name: string; calls: number }) => `${name}: ${calls} calls`).join(", "));
  const published = happenings.filter(({ kind }: { kind: string }) => kind === "endpoints");
  assert.equal(published.length, 3);
  assert.equal(await press(url, "scale-up"), 404);
  assert.deepEqual(await rightsOf([...reading, ...acting, ...more]), reading);
  assert.deepEqual(await live.stop(60_000), { code: 0, signal: null });
  assert.equal(await objectsOfPage(), "");
});

step("a second kube-live in the namespace exits with 1, and the first goes on", async () => {
  const { live, url } = await startLive();
  const second = await runToEnd(join(root, "k8s/live/main.ts"), ["--namespace", namespace], env);
  assert.equal(second.code, 1);
  assert.match(second.stderr.join("\n"), /^kube-live: namespace .* has a live page already/);
  assert.equal((await fetch(url)).status, 200);
  assert.deepEqual(await live.stop(60_000), { code: 0, signal: null });
});

step("its port is forwarded again when its pod is replaced", async () => {
  const { live, url } = await startLive();
  await kubectl.run(["delete", "pod", "-l", "app=live"]);
  await until("the page on the same port", 90_000, async () => {
    const status = await fetch(url).then(
      (response) => response.status,
      (error) => String(error.cause ?? error),
    );
    const hasEnded = live.stderr.some((line) => line.startsWith("kube-live: the connection to the page ended"));
    return status === 200 && hasEnded ? { value: true } : { seen: String(status) };
  });
  await untilState(url, "a call", ({ clients }) => clients[1]?.calls > 0);
  assert.deepEqual(await live.stop(60_000), { code: 0, signal: null });
});

step("with --allow-actions it makes the clients report connections, scales and deletes pods", async (t) => {
  const { live, url } = await startLive(["--allow-actions"]);
  assert.deepEqual(await rightsOf([...reading, ...acting, ...more]), [...reading, ...acting]);
  await untilState(
    url,
    "times and a connection to each pod",
    ({ clients }) => clients[1].connections?.open.length === 3 && clients[1].p99Ms > 0,
  );
  assert.equal(await press(url, "report"), 202);
  assert.equal(await press(url, "scale-up"), 202);
  await untilState(
    url,
    "calls on the fourth pod",
    ({ clients }) => Object.keys(clients[1].verdict.perLetter).length === 4,
  );
  assert.equal(await press(url, "delete-pod"), 202);
  await untilState(url, "a pod that is gone", ({ pods }) =>
    pods.some(({ state }: { state: string }) => state === "gone"),
  );
  report(t, "the fourth pod was called, and the deleted one is gone");
  assert.equal(await press(url, "scale-down"), 202);
  const old = await readyServersOf(kubectl, 3);
  assert.equal(await press(url, "restart"), 202);
  await untilState(url, "three new pods", ({ pods }) => {
    const ready = pods.filter(({ state }: { state: string }) => state === "ready");
    return ready.length === 3 && ready.every(({ name }: { name: string }) => !old.includes(name));
  });
  assert.deepEqual(await live.stop(60_000), { code: 0, signal: null });
  assert.equal(await objectsOfPage(), "");
  const clients = await kubectl.run(["get", "deployment/client-http", "deployment/client-grpc", "-o", "yaml"]);
  assert.doesNotMatch(clients, /EVENTS/);
});

step("kube-delete deletes a page that was left behind", async () => {
  await kubectl.run(["apply", "-k", join(root, "k8s/live/read-only")]);
  assert.match(await objectsOfPage(), /serviceaccount\/live/);
  await makeOk("kube-delete", inNamespace);
  assert.equal(await objectsOfPage(), "");
});
