import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { closedPort, startProgram } from "@grpc-lb/runtime/testing";
import { EtcdServer, etcdIsMissing } from "../../testing/etcd/etcd-server.ts";
import { goValue } from "../../testing/etcd/etcd-world.ts";

const probe = new URL("./background.probe.ts", import.meta.url).pathname;
const skip = etcdIsMissing ?? false;
/** What Node exits with when a top-level await can never end. */
const unsettled = 13;

async function start(t: TestContext, ...modes: string[]) {
  const server = await EtcdServer.start();
  t.after(() => server.close());
  await server.put("s/1", goValue("10.0.0.1:80"));
  return { server, program: startProgram(probe, [server.endpoint, ...modes]) };
}

test("a program that does nothing but read lives, also through an outage, until it has read enough", {
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

test("a watch in the background does not keep a process alive that has nothing else to do", { skip }, async (t) => {
  const { server, program } = await start(t, "background");
  const { code } = await program.exited;
  assert.equal(code, unsettled, program.stderr.join("\n"));
  assert.equal(await server.countWatches(), 0);
});

test("nor does one that finds nobody", async () => {
  const program = startProgram(probe, [`127.0.0.1:${await closedPort()}`, "background"]);
  assert.equal((await program.exited).code, unsettled, program.stderr.join("\n"));
});

test("of a watch that both share, the reader in the foreground keeps the process alive, and the other does not", {
  skip,
}, async (t) => {
  const { server, program } = await start(t, "background", "foreground");
  for (const mode of ["background", "foreground"]) await program.line((line) => line === `${mode}: 1`);
  assert.equal(await server.countWatches(), 1);
  await server.delete("s/1");
  assert.equal((await program.exited).code, unsettled, program.stderr.join("\n"));
});
