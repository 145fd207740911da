import assert from "node:assert/strict";
import { after, test } from "node:test";
import { assertNothingLeft, until } from "@grpc-lb/core/testing";
import { runToEnd } from "@grpc-lb/program/testing";
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

/** The data of the last state that the page sends within a read of its events. */
async function readState(url: string) {
  const reading = new AbortController();
  const { body } = await fetch(`${url}/events`, { signal: reading.signal });
  let text = "";
  for await (const chunk of body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    const [, data] = /^event: state\ndata: (.*)\n\n/m.exec(text) ?? [];
    if (data) {
      reading.abort();
      return JSON.parse(data);
    }
  }
  return assert.fail("no state");
}

test("what is written to stdin is on the page, and wrong lines are reported without ending it", async () => {
  const page = await start();
  page.write({ t: "hello", title: "Lab", actions: [] });
  page.write({ t: "client", name: "grpc", way: "gRPC", why: "", rule: "random" });
  page.write({ t: "wrong" });
  page.write({ t: "line", client: "grpc", line: "#1: a" });
  await until(() => page.stderr.length > 0, "the report");
  assert.match(page.stderr[0] ?? "", /^compare: t must be .*got "wrong"$/);
  const { title, clients, pods } = await readState(page.url);
  assert.deepEqual([title, clients[0].calls, pods[0].letter], ["Lab", 1, "A"]);
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
  for (;;) {
    const { hasEnded } = await readState(page.url);
    if (hasEnded) break;
  }
});

test("SIGTERM ends it with 0 while a page watches", async () => {
  const page = await start();
  const { body } = await fetch(`${page.url}/events`);
  const ended = body?.pipeTo(new WritableStream());
  assert.deepEqual(await page.stop(), { code: 0, signal: null });
  await ended;
});

test("a wrong flag exits 2 with one line", async () => {
  const { code, stderr } = await runToEnd(main, ["--port", "x"]);
  assert.deepEqual([code, stderr.length], [2, 1]);
  assert.match(stderr[0] ?? "", /^compare: --port must be/);
});
