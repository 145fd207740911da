/**
 * The images and `make kube-deploy` on a real cluster: what is built, which pods are replaced, and what it says when it cannot deploy, in
 * namespaces that the story deletes.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { type RunningProgram, watchChild } from "@grpc-lb/program/testing";
import { namesOf, requireBuilt } from "../image/built.ts";
import type { AppName } from "../image/tag.ts";
import { copyWithServerVersion, removeCopy } from "./changed-checkout.ts";
import { prefixVariables, provideImages } from "./images.ts";
import { makeFails, makeOk } from "./make.ts";
import { readyServers } from "./server.ts";
import { beginStory } from "./story.ts";
import * as stranger from "./stranger.ts";

const { namespace, kubectl, inNamespace, step, report, requireNoErrors } = await beginStory("deploy", ["bad"]);

step("the images build, and a second build has the same tags", async (t) => {
  await provideImages();
  const tags = () => requireBuilt(prefixVariables.IMAGE_PREFIX ?? "").tags;
  const first = tags();
  const lines = await makeOk("docker-build", prefixVariables);
  assert.deepEqual(tags(), first);
  for (const line of lines.filter((text) => / MB/.test(text))) report(t, line);
});

step("each image runs without a cluster and prints the same lines", async (t) => {
  const server = runImage("server", ["--pod-name=alone", "--http-port=0", "--grpc-port=0", "--drain-delay=0s"]);
  try {
    const { httpPort, grpcPort } = JSON.parse(await server.line((line) => line.includes('"serving"')));
    const bounded = ["--count=3", "--interval=10ms"];
    for (const [app, target] of [
      ["client-http", `http://127.0.0.1:${httpPort}/pod`],
      ["client-grpc", `127.0.0.1:${grpcPort}`],
    ] as const) {
      const client = runImage(app, [`--target=${target}`, ...bounded]);
      assert.equal((await client.exited).code, 0, client.stderr.join("\n"));
      assert.deepEqual(client.stdout, ["#1: alone", "#2: alone", "#3: alone"]);
      report(t, `docker run ${app}: ${client.stdout.join(", ")}`);
    }
  } finally {
    assert.equal((await server.stop()).code, 0, "the server's container must end on SIGTERM");
  }
});

step("the same content rolls no pod, changed content rolls them all", async (t) => {
  const generations = async () => {
    const { items } = await kubectl.get(["deployments", "-l", "app in (server)"]);
    return items.map(({ metadata }: { metadata: { generation: number } }) => metadata.generation);
  };
  await makeOk("kube-deploy", inNamespace);
  const before = await generations();
  await makeOk("kube-deploy", inNamespace);
  assert.deepEqual(await generations(), before, "the same content must not roll the pods");
  const { items } = await kubectl.get(["pods", "-l", "app=server"]);
  const image: string = items[0].spec.containers[0].image;
  assert.match(image, /grpc-lb\/server:[0-9a-f]{12}$/, "the tag comes from the content");
  report(t, `server runs ${image}`);

  const copy = copyWithServerVersion("0.1.0-changed");
  try {
    await provideImages(copy);
    await makeOk("kube-deploy", inNamespace, copy);
  } finally {
    removeCopy(copy);
  }
  assert.notDeepEqual(await generations(), before, "changed content must roll the pods");
  const [pod] = await readyServers(kubectl);
  const script = `fetch("http://127.0.0.1:8080/").then((r) => r.json()).then((pod) => console.log(pod.version))`;
  const version = (await kubectl.run(["exec", `pod/${pod}`, "--", "node", "-e", script])).trim();
  assert.equal(version, "0.1.0-changed");
  report(t, `after a change the pods were replaced and have version ${version}`);
  await requireNoErrors(t);
});

step("no cluster, or no rights: one line, before anything changes", async (t) => {
  report(
    t,
    await makeFails("kube-deploy", { ...inNamespace, KUBECONFIG: "/nonexistent" }, /^kube-deploy needs cluster/),
  );
  const path = await stranger.kubeconfig(kubectl);
  try {
    report(
      t,
      await makeFails(
        "kube-deploy",
        { ...inNamespace, KUBECONFIG: path },
        /^kube-deploy: you are not allowed to create/,
      ),
    );
  } finally {
    stranger.forget(path);
  }
});

step("a missing image: kube-deploy fails and names the image and the reason", async (t) => {
  const bad = { NAMESPACE: `${namespace}-bad`, IMAGE_PREFIX: "registry.invalid/" };
  const copy = copyWithServerVersion("0.1.0-bad"); // concurrent stories deploy the images of this checkout
  try {
    await makeOk("docker-build", { IMAGE_PREFIX: bad.IMAGE_PREFIX }, copy); // built, and never pushed
    const line = await makeFails("kube-deploy", bad, /^kube-deploy: .*(ImagePullBackOff|ErrImagePull)/, copy);
    report(t, line.trim());
  } finally {
    removeCopy(copy);
  }
  await makeOk("kube-delete", { NAMESPACE: bad.NAMESPACE });
  const { problem } = await kubectl.try(["get", "namespace", bad.NAMESPACE]);
  assert.match(problem, /NotFound/, "the namespace that kube-deploy created is gone");
});

/** Runs an app's image with Docker, on this machine's network; `docker run` forwards SIGTERM to the app. */
function runImage(app: AppName, args: readonly string[]): RunningProgram {
  const name = `grpc-lb-e2e-${app}-${randomBytes(3).toString("hex")}`;
  const image = namesOf(app, requireBuilt("")).byContent;
  return watchChild({
    command: "docker",
    args: ["run", "--rm", "--network=host", `--name=${name}`, image, ...args],
    env: process.env as Record<string, string>,
  });
}
