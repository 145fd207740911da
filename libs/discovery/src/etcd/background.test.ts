import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { closedPort } from "@grpc-lb/core/testing";
import { startProgram, watchChild } from "@grpc-lb/program/testing";
import { EtcdServer, etcdIsMissing } from "../../testing/etcd/etcd-server.ts";
import { goValue } from "../../testing/etcd/world.ts";
import { SnapshotReader } from "../../testing/snapshot-reader.ts";
import { createEtcdSource } from "./index.ts";

const probe = new URL("../../testing/programs/etcd-background.ts", import.meta.url).pathname;
const skip = etcdIsMissing ?? false;
/** What Node exits with when a top-level await can never end. */
const unsettled = 13;

async function start(t: TestContext, ...modes: string[]) {
  const server = await EtcdServer.start();
  t.after(() => server.close());
  await server.put("s/1", goValue("10.0.0.1:80"));
  const program = startProgram(probe, [server.endpoint, ...modes]);
  t.after(() => program.kill("SIGKILL"));
  return { server, program };
}

// Most of the time they wait for the start of a program, so they do it together.
describe("a watch of etcd", { concurrency: 4 }, () => {
  test("a program that only reads stays alive, also during an outage, until it stops reading", {
    skip,
  }, async (t) => {
    const { server, program } = await start(t, "foreground");
    await program.line((line) => line === "foreground: 1");
    await server.stop();
    await program.line((line) => line === "foreground: unavailable");
    await server.start();
    await server.put("s/2", goValue("10.0.0.2:80"));
    await program.line((line) => line === "foreground: 2");
    await server.delete("s/1");
    await server.delete("s/2");
    assert.equal((await program.exited).code, 0, program.stderr.join("\n"));
  });

  test("a watch in the background does not keep the process alive", { skip }, async (t) => {
    const { server, program } = await start(t, "background");
    const { code } = await program.exited;
    assert.equal(code, unsettled, program.stderr.join("\n"));
    await server.untilWatches(0);
  });

  test("a watch in the background without endpoints does not keep the process alive", async () => {
    const program = startProgram(probe, [`127.0.0.1:${await closedPort()}`, "background"]);
    assert.equal((await program.exited).code, unsettled, program.stderr.join("\n"));
  });

  test("of two readers that share a watch, only the one in the foreground keeps the process alive", {
    skip,
  }, async (t) => {
    const { server, program } = await start(t, "background", "foreground");
    for (const mode of ["background", "foreground"]) await program.line((line) => line === `${mode}: 1`);
    await server.untilWatches(1);
    await server.delete("s/1");
    assert.equal((await program.exited).code, unsettled, program.stderr.join("\n"));
  });
});

test("a watch in the background whose server accepts no connection does not keep the process alive, and leaves no connection", async (t) => {
  // A server that is stopped takes as many connections as its queue holds.
  const listen = "net.createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, function () {";
  const deaf = watchChild({
    command: process.execPath,
    args: ["-e", `${listen} console.log(this.address().port); })`],
    env: {},
  });
  t.after(() => deaf.stop(0));
  const port = Number(await deaf.line((line) => /^\d+$/.test(line)));
  deaf.kill("SIGSTOP");
  const queue = Array.from({ length: 4 }, () => connect(port, "127.0.0.1").on("error", () => {}));
  await once(queue[0] as Socket, "connect");
  const endpoints = [`127.0.0.1:${port}`];
  const reader = new SnapshotReader(
    createEtcdSource({ endpoints, service: "s", credentials: {}, answerTimeoutMs: 100 }),
  );
  await reader.until("an error", ({ error }) => error !== undefined);
  await reader.close();
  for (const socket of queue) socket.destroy();
  const sockets = () => process.getActiveResourcesInfo().filter((kind) => /^TCP/.test(kind));
  for (let turn = 0; turn < 50 && sockets().length > 0; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(sockets(), []);
});
