import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { startProgram } from "@grpc-lb/program/testing";
import { FakeConsulAgent } from "../../testing/consul/fake-agent.ts";

const probe = new URL("../../testing/programs/consul-background.ts", import.meta.url).pathname;
/** What Node exits with when a top-level await can never end. */
const unsettled = 13;

async function start(t: TestContext, ...modes: string[]) {
  const agent = await FakeConsulAgent.start();
  t.after(() => agent.close());
  agent.put({ ID: "web-1", Name: "web", Address: "10.0.0.1", Port: 80 });
  return { agent, program: startProgram(probe, [String(agent.address.port), ...modes]) };
}

// Most of the time they wait for the start of a program, so they do it together.
describe("a watch of Consul", { concurrency: 4 }, () => {
  test("a program that does nothing but read lives, also through an outage, until it has read enough", async (t) => {
    const { agent, program } = await start(t, "foreground");
    await program.line((line) => line === "foreground: 1");
    await agent.stop();
    await program.line((line) => line === "foreground: unavailable");
    agent.put({ ID: "web-2", Name: "web", Address: "10.0.0.2", Port: 80 });
    await agent.start();
    await program.line((line) => line === "foreground: 2");
    await agent.until(({ waiting }) => waiting === 1);
    agent.remove("web-1");
    agent.remove("web-2");
    assert.equal((await program.exited).code, 0, program.stderr.join("\n"));
  });

  test("a watch in the background does not keep a process alive that has nothing else to do", async (t) => {
    const { agent, program } = await start(t, "background");
    const { code } = await program.exited;
    assert.equal(code, unsettled, program.stderr.join("\n"));
    await agent.until(({ connections }) => connections === 0);
  });

  test("nor does one whose query the agent does not answer", async (t) => {
    const { agent, program } = await start(t, "background");
    agent.freeze(); // before the program has begun
    assert.equal((await program.exited).code, unsettled, program.stderr.join("\n"));
  });

  test("of a query that both share, the reader in the foreground keeps the process alive, and the other does not", async (t) => {
    const { agent, program } = await start(t, "background", "foreground");
    for (const mode of ["background", "foreground"]) await program.line((line) => line === `${mode}: 1`);
    await agent.until(({ waiting }) => waiting === 1);
    assert.equal(agent.counts.connections, 1);
    agent.remove("web-1");
    assert.equal((await program.exited).code, unsettled, program.stderr.join("\n"));
  });
});
