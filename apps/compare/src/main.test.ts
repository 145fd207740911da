import assert from "node:assert/strict";
import { after, test } from "node:test";
import { assertNothingLeft, closedPort, until, untilServerSent } from "@grpc-lb/core/testing";
import { runToEnd } from "@grpc-lb/program/testing";
import type { PageState } from "../page/protocol.ts";
import { type ComparePage, main, startComparePage } from "../testing/compare-page.ts";

const pages: ComparePage[] = [];

after(async () => {
  for (const page of pages) await page.stop();
  await assertNothingLeft();
});

async function start(): Promise<ComparePage> {
  const page = await startComparePage();
  pages.push(page);
  return page;
}

const untilState = (url: string, what: string, matches: (state: PageState) => boolean) =>
  untilServerSent(`${url}/events`, "state", what, matches);

test("what is written to stdin is on the page, and wrong lines are reported without ending it", async () => {
  const page = await start();
  page.write({ t: "hello", title: "Lab", actions: [] });
  page.write({ t: "client", name: "grpc", way: "gRPC", why: "", rule: "random" });
  page.write({ t: "wrong" });
  page.write({ t: "line", client: "grpc", line: "#1: a" });
  await until(() => page.stderr.length > 0, "the report");
  assert.match(page.stderr[0] ?? "", /^compare: t must be .*got "wrong"$/);
  const { title, pods } = await untilState(page.url, "the call", ({ clients }) => clients[0]?.calls === 1);
  assert.deepEqual([title, pods[0]?.letter], ["Lab", "A"]);
});

test("an action of the page is a line on stdout", async () => {
  const page = await start();
  page.write({ t: "hello", title: "Lab", actions: [{ name: "kill", label: "Kill", key: "k", help: "" }] });
  const act = () => fetch(`${page.url}/actions/kill`, { method: "POST", headers: { origin: page.url } });
  let status = 0;
  while (status !== 202) status = (await act()).status; // until the line was read
  await until(() => page.stdout.includes('{"t":"action","action":"kill"}'), "the action");
});

test("the page says that the comparison has ended when stdin has", async () => {
  const page = await start();
  page.endInput();
  await untilState(page.url, "the end", ({ hasEnded }) => hasEnded);
});

test("SIGTERM ends it with 0 while a page watches", async () => {
  const page = await start();
  const { body } = await fetch(`${page.url}/events`);
  const ended = body?.pipeTo(new WritableStream());
  assert.deepEqual(await page.stop(), { code: 0, signal: null });
  await ended;
});

test("a port that is taken exits 1 with one line that names it", async () => {
  const { port } = new URL((await start()).url);
  const { code, stderr } = await runToEnd(main, ["--port", port]);
  assert.deepEqual(
    [code, stderr],
    [1, [`compare: cannot listen on --port ${port}: listen EADDRINUSE: address already in use 127.0.0.1:${port}`]],
  );
});

test("a namespace that cannot be reached exits 1 with one line", async () => {
  const { code, stdout, stderr } = await runToEnd(main, ["--namespace", "demo"], { HOME: "/no/such/home" });
  assert.deepEqual([code, stdout.length, stderr.length], [1, 0, 1]);
  assert.match(stderr[0] ?? "", /^compare: kubernetes: .*kubeconfig/);
});

test("with a health port the kubelet gets an answer on every address, and nothing else is there", async () => {
  const port = await closedPort();
  pages.push(await startComparePage(0, ["--health-port", String(port)]));
  const status = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).status;
  assert.deepEqual([await status("/healthz"), await status("/")], [200, 404]);
});

test("a health port that is taken exits 1 with one line that names its flag", async () => {
  const { port } = new URL((await start()).url);
  const { code, stderr } = await runToEnd(main, ["--health-port", port]);
  assert.deepEqual([code, stderr.length], [1, 1], stderr.join("\n"));
  assert.match(
    stderr[0] ?? "",
    new RegExp(
      `^compare: cannot listen on --health-port ${port}: listen EADDRINUSE: address already in use .*:${port}$`,
    ),
  );
});

for (const [flag, value] of [
  ["--port", "x"],
  ["--host", "0.0.0.0"],
  ["--namespace", "../../x"],
  ["--namespace", "a".repeat(64)],
] as const) {
  test(`${flag} ${value.slice(0, 10)} exits 2 with one line`, async () => {
    const { code, stderr } = await runToEnd(main, [flag, value]);
    assert.deepEqual([code, stderr.length], [2, 1], stderr.join("\n"));
    assert.ok(stderr[0]?.startsWith(`compare: ${flag} must be`), stderr[0]);
  });
}

test("without the packages of development the error names the command that installs them", async () => {
  const hooks = `import { registerHooks } from "node:module";
    registerHooks({ resolve(specifier, context, next) {
      if (specifier !== "esbuild") return next(specifier, context);
      throw Object.assign(new Error("Cannot find package 'esbuild'"), { code: "ERR_MODULE_NOT_FOUND" });
    } });`;
  const env = { NODE_OPTIONS: `--import=data:text/javascript;base64,${Buffer.from(hooks).toString("base64")}` };
  const { code, stderr } = await runToEnd(main, [], env);
  const line = "compare: the page cannot be bundled, as esbuild is not installed; run: make init";
  assert.deepEqual([code, stderr], [1, [line]]);
});
