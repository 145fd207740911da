import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { startProgram } from "@grpc-lb/program/testing";
import { FakeConsulAgent } from "../../testing/consul/fake-agent.ts";

const probe = new URL("../../testing/programs/consul-background.ts", import.meta.url).pathname;
/** The exit code of Node when a top-level await never settles. */
const unsettled = 13;

async function start(t: TestContext, ...modes: string[]) {
  const agent = await FakeConsulAgent.start();
  t.after(() => agent.close());
  agent.put({ ID: "web-1", Name: "web", Address: "10.0.0.1", Port: 80 });
  return { agent, program: startProgram(probe, [String(agent.address.port), ...modes]) };
}

// Most of their time is the start of a program, so they run at the same time.
describe("a watch of Consul", { concurrency: 4 }, () => {
  test("a program that only reads stays alive, also through an outage, until it stops reading", async (t) => {
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

  test("a watch in the background does not keep the process alive", async (t) => {
    const { agent, program } = await start(t, "background");
    const { code } = await program.exited;
    assert.equal(code, unsettled, program.stderr.join("\n"));
    await agent.until(({ connections }) => connections === 0);
  });

  test("a watch in the background does not keep the process alive while the agent does not answer", async (t) => {
    const { agent, program } = await start(t, "background");
    agent.freeze(); // before the program has begun
    assert.equal((await program.exited).code, unsettled, program.stderr.join("\n"));
  });

  test("of two readers of one query only the one in the foreground keeps the process alive", async (t) => {
    const { agent, program } = await start(t, "background", "foreground");
    for (const mode of ["background", "foreground"]) await program.line((line) => line === `${mode}: 1`);
    await agent.until(({ waiting }) => waiting === 1);
    assert.equal(agent.counts.connections, 1);
    agent.remove("web-1");
    assert.equal((await program.exited).code, unsettled, program.stderr.join("\n"));
  });
});
