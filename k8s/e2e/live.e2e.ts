/** The live page of a namespace: what it shows, that it only reads unless it is allowed more, and what it may do then. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { untilServerSent } from "@grpc-lb/core/testing";
import { startProgram } from "@grpc-lb/program/testing";
import { root } from "../image/tag.ts";
import { makeOk } from "./make.ts";
import { readyServersOf } from "./server.ts";
import { beginStory, buildImages } from "./story.ts";
import { forget, kubeconfig } from "./stranger.ts";

const { namespace, kubectl, inNamespace, step, report, stopAtEnd, setCallInterval } = await beginStory("live");

/** Starts kube-live; the story stops it. */
async function startLive(args: readonly string[] = [], variables: Readonly<Record<string, string>> = {}) {
  const env = { ...(process.env as Record<string, string>), ...variables };
  const live = startProgram(join(root, "k8s/live/main.ts"), ["--namespace", namespace, ...args], env);
  const stop = async () => void (await live.stop());
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

step(
  "who may only read sees the pods with their nodes and the verdicts of both clients, and changes nothing",
  async (t) => {
    await kubectl.run(["apply", "-f", join(root, "k8s/live/viewer-role.yaml")]);
    const account = `--serviceaccount=${namespace}:default`;
    await kubectl.run(["create", "rolebinding", "live-viewer", "--role=live-viewer", account]);
    const viewer = await kubeconfig(kubectl);
    t.after(() => forget(viewer));
    const { live, url } = await startLive([], { KUBECONFIG: viewer });
    const { pods, clients, happenings } = await untilState(url, "the verdicts", ({ clients }) =>
      clients.every(({ verdict }: { verdict: { word: string } }) => verdict.word === "BALANCED"),
    );
    assert.deepEqual(
      pods.map(({ state, node }: { state: string; node: string }) => [state, node !== ""]),
      Array(3).fill(["ready", true]),
    );
    report(t, clients.map(({ name, calls }: { name: string; calls: number }) => `${name}: ${calls} calls`).join(", "));
    const published = happenings.filter(({ text }: { text: string }) => text.startsWith("the Service has server-"));
    assert.equal(published.length, 3);
    assert.equal(await press(url, "scale-up"), 404);
    assert.deepEqual(await live.stop(), { code: 0, signal: null });
  },
);

step("with --allow-actions it makes the clients report connections, scales and deletes pods", async (t) => {
  const { live, url } = await startLive(["--allow-actions"]);
  assert.equal(await press(url, "report"), 202);
  await untilState(url, "a connection to each pod", ({ clients }) => clients[1].connections?.open.length === 3);
  assert.equal(await press(url, "scale-up"), 202);
  await untilState(
    url,
    "calls on the fourth pod",
    ({ clients }) => Object.keys(clients[1].verdict.perPod).length === 4,
  );
  assert.equal(await press(url, "delete-pod"), 202);
  await untilState(url, "a pod that is gone", ({ pods }) =>
    pods.some(({ state }: { state: string }) => state === "gone"),
  );
  report(t, "the fourth pod was called, and the deleted one is gone");
  assert.deepEqual(await live.stop(), { code: 0, signal: null });
});
