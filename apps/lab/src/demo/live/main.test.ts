import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { afterEach, test } from "node:test";
import { assertNothingLeft, untilServerSent } from "@grpc-lb/core/testing";
import { type RunningProgram, runToEnd, startProgram } from "@grpc-lb/program/testing";

const main = `${import.meta.dirname}/main.ts`;
/** It stops clients, pods, what they need and the page one after the other, and each may take 3 s. */
const stopLimitMs = 15_000;
const running: RunningProgram[] = [];

afterEach(async () => {
  for (const program of running.splice(0)) await program.stop(stopLimitMs);
  await assertNothingLeft();
});

/** Waits for a state of the page. */
// biome-ignore lint/suspicious/noExplicitAny: the page's state, whose type is the page's own
const untilState = (url: string, what: string, matches: (state: any) => boolean) =>
  untilServerSent(`${url}/events`, "state", what, matches);

test("the page shows calls, connections and verdicts of every strategy, and its buttons change the pods", async () => {
  const live = startProgram(main, ["--strategies", "http,clusterip,resolver", "--interval", "20ms"]);
  running.push(live);
  const url = await live.line((line) => line.startsWith("http://127.0.0.1:"));
  await live.line((line) => line.startsWith("every client calls"));
  await untilState(url, "the verdicts and connections", ({ clients }) => {
    const [http, clusterip, resolver] = clients;
    return (
      http.verdict.word === "BALANCED" &&
      http.connections.isOnePerCall &&
      clusterip.verdict.word === "PINNED" &&
      clusterip.connections.opened === 1 &&
      resolver.verdict.word === "BALANCED" &&
      resolver.connections.open.length === 3 &&
      resolver.p50Ms > 0
    );
  });
  const press = async (action: string) => {
    const answer = await fetch(`${url}/actions/${action}`, { method: "POST", headers: { origin: url } });
    assert.equal(answer.status, 202);
  };
  await press("freeze");
  await untilState(url, "right clients balanced among the other pods", ({ pods, clients }) => {
    assert.notEqual(clients[2].verdict.word, "SKEWED");
    const isBalanced = [0, 2].every((i) => clients[i].verdict.word === "BALANCED" && clients[i].verdict.pods === 2);
    return pods[0].state === "frozen" && isBalanced;
  });
  await press("freeze");
  await untilState(url, "the pod that goes on", ({ pods }) => pods[0].state === "ready");
  await press("kill");
  await untilState(url, "the pod that was killed", ({ pods }) => pods[0].state === "gone");
  await press("start");
  await untilState(url, "calls on the new pod", ({ pods, clients }) => {
    return pods.at(-1).state === "ready" && clients[2].verdict.perLetter.D > 0;
  });
  await press("drain");
  await untilState(url, "the pod that was drained", ({ pods }) => pods.at(-1).state === "gone");
  assert.deepEqual(await live.stop(stopLimitMs), { code: 0, signal: null });
});

test("a port that is in use is reported once", async () => {
  const taken = createServer();
  await once(taken.listen(0, "127.0.0.1"), "listening");
  try {
    const { port } = taken.address() as AddressInfo;
    const { code, stderr } = await runToEnd(main, ["--port", String(port)]);
    const reason = `compare: cannot listen on --port ${port}: listen EADDRINUSE: address already in use 127.0.0.1:${port}`;
    assert.deepEqual([code, stderr], [1, ["live: compare exited with code 1; last lines of stderr:", `  ${reason}`]]);
  } finally {
    await new Promise((resolve) => taken.close(resolve));
  }
});

test("it ends with 0 while the pods still start, and reports a wrong flag or strategy", async () => {
  const live = startProgram(main, []);
  running.push(live);
  await live.line((line) => line.startsWith("http://127.0.0.1:"));
  assert.deepEqual(await live.stop(stopLimitMs), { code: 0, signal: null });
  for (const args of [
    ["--strategies", "x"],
    ["--servers", "1"],
  ]) {
    const { code, stderr } = await runToEnd(main, args);
    assert.deepEqual([code, stderr.length], [2, 1], stderr.join("\n"));
  }
});
