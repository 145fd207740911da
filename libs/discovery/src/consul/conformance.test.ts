import { afterEach, beforeEach, test } from "node:test";
import { assertNothingLeft } from "@grpc-lb/runtime/testing";
import { FakeConsulAgent } from "../../testing/consul/fake-agent.ts";
import { registrationBehaviours } from "../../testing/consul/registration-behaviours.ts";
import { type ConsulWorld, fakeConsulWorld } from "../../testing/consul/world.ts";
import { sourceBehaviours } from "../../testing/source-conformance.ts";

let agent: FakeConsulAgent;
let world: ConsulWorld;
const ends: (() => Promise<void>)[] = [];

beforeEach(async () => {
  agent = await FakeConsulAgent.start();
  world = fakeConsulWorld(agent, (end) => void ends.push(end));
});

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  await agent.close();
  await assertNothingLeft();
});

for (const [n, { name, cannot, run }] of sourceBehaviours.entries()) {
  test(`a fake agent: ${name}`, { timeout: 30_000 }, async (t) => {
    const why = cannot(world);
    if (why !== undefined) return t.skip(why);
    await run(world, `service-${n}-`);
  });
}

for (const [n, { name, run }] of registrationBehaviours.entries()) {
  test(`a fake agent: ${name}`, { timeout: 30_000 }, () => run(world, `registered-${n}-`));
}
