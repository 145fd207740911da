import assert from "node:assert/strict";
import { after, test } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { startProgram } from "@grpc-lb/program/testing";
import { FakeConsulAgent } from "../testing/consul/fake-agent.ts";
import { register } from "./register.ts";

after(assertNothingLeft);

const address = { host: "10.0.0.1", port: 80 };

test("a program that only registers lives until it is registered, and ends when it is closed", async (t) => {
  const agent = await FakeConsulAgent.start();
  t.after(() => agent.close());
  agent.freeze();
  const program = startProgram(new URL("../testing/programs/register.ts", import.meta.url).pathname, [
    `consul://127.0.0.1:${agent.address.port}/web`,
  ]);
  t.after(() => program.kill("SIGKILL"));
  await agent.until(({ requests }) => requests === 1);
  agent.thaw();
  assert.equal((await program.exited).code, 0, program.stderr.join("\n"));
  assert.equal(agent.registered.size, 0);
});

test("what is never registered does not hold the process when it is closed", async () => {
  const registration = await register("etcd://127.0.0.1:1/web", { address });
  await registration.close();
  assert.equal(registration.stats.isRegistered, false);
});

for (const [query, check] of [
  ["", { TTL: "5000ms", GRPC: undefined }],
  ["&check=grpc", { TTL: undefined, GRPC: "10.0.0.1:80" }],
] as const) {
  test(`the target's service, TTL, tags and check are registered: ttl=5s&tag=v1${query}`, async (t) => {
    const agent = await FakeConsulAgent.start();
    t.after(() => agent.close());
    const target = `consul://127.0.0.1:${agent.address.port}/web?ttl=5s&tag=v1${query}`;
    const registration = await register(target, { address });
    await registration.registered;
    const [service] = agent.registered.values();
    assert.deepEqual([service?.Name, service?.Tags], ["web", ["v1"]]);
    assert.deepEqual({ TTL: service?.Check?.TTL, GRPC: service?.Check?.GRPC }, check);
    await registration.close();
    assert.equal(agent.registered.size, 0);
  });
}
