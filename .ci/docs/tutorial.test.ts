/** The tutorial, step by step, with its files and its commands on ports that are free. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../test-counts.ts";
import { readBlocks } from "./blocks.ts";
import { type Running, runProgram, writeFiles } from "./programs.ts";

const blocks = readBlocks(root, "docs/tutorial.md");
const folder = join(root, ".ci/out/docs/tutorial");

test("calls spread over the servers, and follow the file and the pods", async (t) => {
  const ports = await Promise.all([0, 1, 2].map(findPort));
  const onPorts = (text: string) => ports.reduce((result, port, n) => result.replaceAll(`${50_051 + n}`, port), text);
  const quickly = (text: string) => text.replace("setTimeout(30)", "setTimeout(1)");
  writeFiles(folder, blocks, (text) => quickly(onPorts(text)));

  const running: Running[] = [];
  const start = (args: readonly string[], env = {}) => {
    const program = runProgram(folder, args, env);
    running.push(program);
    return program;
  };
  t.after(() => Promise.all(running.map((program) => program.end())));
  const command = (begin: string) => {
    const found = blocks.find(({ language, text }) => language === "sh" && text.startsWith(`node ${begin}`));
    assert.ok(found, `the tutorial has no command "node ${begin}"`);
    return onPorts(found.text).replaceAll("$PWD", folder).split(" ").slice(1);
  };

  const servers = start(command("server.mjs"));
  await servers.line((line) => line.startsWith("c listens"));
  const kubeconfig = join(folder, "kubeconfig");
  const cluster = start([join(root, ".ci/docs/program/cluster.mjs"), kubeconfig, ...ports]);
  const byList = start(command("client.mjs static:"));
  const byFile = start(command("client.mjs file:"));
  await cluster.line((line) => line === "ready");
  const manifest = blocks.find(({ file }) => file === "hello.yaml")?.text ?? "";
  const [, target = ""] = /client\.mjs, "([^"]+)"/.exec(manifest) ?? [];
  const byPods = start(["client.mjs", target], { KUBECONFIG: kubeconfig });

  const prints = (want: string) => (line: string) => sorted(line) === sorted(want);
  const outputs = blocks.filter(({ language }) => language === "text").map(({ text }) => text);
  await byList.line(prints(outputs[0] ?? ""));
  await byFile.line(prints(outputs[1] ?? ""));
  await byPods.line(prints("{ a: 10, b: 10, c: 10 }"));

  const file = join(folder, "endpoints.json");
  writeFileSync(file, JSON.stringify(ports.map((port) => `127.0.0.1:${port}`)));
  await byFile.line(prints("{ a: 10, b: 10, c: 10 }"));
  writeFileSync(file, JSON.stringify(ports.slice(1).map((port) => `127.0.0.1:${port}`)));
  const last = await byFile.line((line) => !line.includes("a:"));
  assert.equal(sorted(last), sorted("{ b: 15, c: 15 }"));
});

/** The order of the servers is that of their first calls. */
const sorted = (line: string): string =>
  [...line.matchAll(/\w+: \d+/g)]
    .map(([count]) => count)
    .sort()
    .join();

async function findPort(): Promise<string> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return String(typeof address === "object" ? address?.port : address);
}
