/** The steps of docs/tutorial.md that need a cluster, with its files and its commands: packages, image, manifest, scaling. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { localCluster } from "../cluster/local.ts";
import { runCommand } from "../command.ts";
import { root } from "../image/tag.ts";
import { beginStory } from "./story.ts";
import { until } from "./until.ts";

const { namespace, kubectl, step, report } = await beginStory("tutorial");
const page = readFileSync(join(root, "docs/tutorial.md"), "utf8");
const blocks = [...page.matchAll(/```(\w+)[^\n]*\n(.*?)```/gs)].map(([, language, text = ""]) => ({ language, text }));
const image = `hello:${namespace}`;
const folder = mkdtempSync(join(tmpdir(), "grpc-lb-e2e-"));
after(async () => {
  rmSync(folder, { recursive: true });
  await runCommand("docker", ["rmi", "--force", image]);
});
let whyNot: string | undefined;

/** The text of a command block of the page, with this story's folder and image. */
function command(begin: string): string {
  const found = blocks.find(({ language, text }) => language === "sh" && text.startsWith(begin));
  assert.ok(found, `the tutorial has no command "${begin}"`);
  return found.text.replaceAll("/tmp", folder).replaceAll("hello:1", image);
}

async function shell(text: string, cwd = folder): Promise<void> {
  const { code, stdout, stderr } = await runCommand("sh", ["-ec", text], { cwd });
  assert.equal(code, 0, `${text}\n${stdout}${stderr}`);
}

/** Waits until the client's lines are of so many servers, each with the same number of calls. */
function spreadsOver(servers: number): Promise<string> {
  return until(`calls to ${servers} servers`, 120_000, async () => {
    const { stdout, problem } = await kubectl.try(["logs", "deployment/hello-client", "--tail=20"]);
    const last = stdout.slice(stdout.lastIndexOf("{"));
    const counts = [...last.matchAll(/'(hello-[\w-]+)': (\d+)/g)].map(([, , count]) => Number(count));
    const isSpread = counts.length === servers && counts.every((count) => count === 30 / servers);
    return isSpread ? { value: counts.join(", ") } : { seen: `${stdout.slice(-300)}${problem}` };
  });
}

step("the packages are built and installed, and the files of the page become an image on the nodes", async (t) => {
  const cluster = localCluster(kubectl.view);
  const registry = await runCommand("npm", ["view", "@grpc/grpc-js", "version", "--fetch-retries=0"]);
  if (!cluster) whyNot = "the cluster is not on this machine";
  if (registry.code !== 0) whyNot = "no registry of npm packages can be reached";
  if (!cluster || whyNot !== undefined) return t.skip(whyNot);
  await shell(command("make build"), root);
  await shell(command("npm init"));
  for (const { text } of blocks) {
    const [, name] = /^(?:\/\/|#) (hello\.proto|\w+\.mjs|Dockerfile|hello\.yaml)\n/.exec(text) ?? [];
    if (name !== undefined) writeFileSync(join(folder, name), text.replaceAll("hello:1", image));
  }
  const [build = ""] = command("docker build").split("\n");
  await shell(build);
  const [program, ...args] = cluster.load ?? [];
  if (program !== undefined) assert.equal((await runCommand(program, [...args, image])).code, 0);
});

step("the client's calls go to the three pods in turn, and to five after kubectl scale", async (t) => {
  if (whyNot !== undefined) return t.skip(whyNot);
  await kubectl.run(["create", "namespace", namespace]);
  await kubectl.run(["apply", "-f", join(folder, "hello.yaml")]);
  report(t, `calls of a second, by server: ${await spreadsOver(3)}`);
  const [, scale = ""] = /`kubectl (scale [^`]+)`/.exec(page) ?? [];
  await kubectl.run(scale.split(" "));
  report(t, `calls of a second, by server: ${await spreadsOver(5)}`);
});

step("without the Role, each call fails with an error that names the missing right", async (t) => {
  if (whyNot !== undefined) return t.skip(whyNot);
  await kubectl.run(["delete", "rolebinding", "hello-client"]);
  await kubectl.run(["rollout", "restart", "deployment/hello-client"]);
  await until("the error", 120_000, async () => {
    const { stdout, problem } = await kubectl.try(["logs", "-l", "app=hello-client", "--tail=20"]);
    const isNamed = /cannot (list|watch) resource "endpointslices"/.test(stdout);
    return isNamed ? { value: true } : { seen: `${stdout.slice(-300)}${problem}` };
  });
});
