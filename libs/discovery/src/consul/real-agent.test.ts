import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { assertNothingLeft, startProgram } from "@grpc-lb/runtime/testing";
import { startHealthServer } from "../../testing/consul/health-server.ts";
import { RealConsulAgent, whyNoConsul } from "../../testing/consul/real-agent.ts";
import { registrationBehaviours } from "../../testing/consul/registration-behaviours.ts";
import { type ConsulWorld, realConsulWorld } from "../../testing/consul/world.ts";
import { SnapshotReader } from "../../testing/snapshot-reader.ts";
import { sourceBehaviours } from "../../testing/source-conformance.ts";
import { registerInConsul } from "./registration.ts";

const skip = (await whyNoConsul()) ?? false;
let agent: RealConsulAgent;
let world: ConsulWorld;
const ends: (() => Promise<void>)[] = [];

before(async () => {
  if (skip) return;
  agent = await RealConsulAgent.start({ hasAcls: true });
  world = realConsulWorld(agent, (end) => void ends.push(end));
});

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

after(async () => {
  if (skip) return;
  await agent.close();
  await assertNothingLeft();
});

for (const [n, { name, cannot, run }] of sourceBehaviours.entries()) {
  test(`a real agent: ${name}`, { skip, timeout: 60_000 }, async (t) => {
    const why = cannot(world);
    if (why !== undefined) return t.skip(why);
    await run(world, `service-${n}-`);
  });
}

for (const [n, { name, run }] of registrationBehaviours.entries()) {
  test(`a real agent: ${name}`, { skip, timeout: 30_000 }, () => run(world, `registered-${n}-`));
}

test("a real agent: by a gRPC check an instance is seen while it says that it serves, and not before and after", {
  skip,
  timeout: 30_000,
}, async () => {
  const server = await startHealthServer();
  server.setServing(false);
  const { agent, credentials } = world;
  const reader = new SnapshotReader(world.createSource("checked"));
  const check = { t: "grpc", timeoutMs: 500, service: "pod" } as const;
  const instance = { service: "checked", address: server.address, ttlMs: 1_000 };
  const registration = registerInConsul({ agent, credentials, check, instance });
  try {
    await registration.registered;
    await reader.untilAddresses();
    server.setServing(true);
    await reader.untilAddresses(`127.0.0.1:${server.address.port}`);
    assert.equal(server.asked.at(-1), "pod");
    server.setServing(false);
    await reader.untilAddresses();
  } finally {
    await registration.close();
    await reader.close();
    await server.close();
  }
});

test("a real agent: an instance whose process is killed is gone after its TTL", { skip, timeout: 30_000 }, async () => {
  const { host, port } = world.agent;
  const reader = new SnapshotReader(world.createSource("killed"));
  const probe = new URL("./registration.probe.ts", import.meta.url).pathname;
  const program = startProgram(probe, [host, String(port), "killed", agent.token ?? ""]);
  try {
    await program.line((line) => line === "registered");
    await reader.untilAddresses("10.9.1.9:1");
    program.kill("SIGKILL");
    await program.exited;
    const killedMs = performance.now();
    await reader.untilAddresses();
    assert.ok(performance.now() - killedMs < 2_000, "a TTL of 1 s");
  } finally {
    await program.stop();
    await reader.close();
  }
});

test("a real agent: who may see a service, and who may not, is told in words to act on", {
  skip,
  timeout: 30_000,
}, async () => {
  await world.put("secret", { address: { host: "10.9.2.1", port: 1 } });
  await agent.putToken("22222222-2222-2222-2222-222222222222");
  await agent.putToken("33333333-3333-3333-3333-333333333333", 'service "secret" { policy = "read" }');
  await agent.putToken(
    "44444444-4444-4444-4444-444444444444",
    'service "secret" { policy = "read" }\nnode_prefix "" { policy = "read" }',
  );
  const words = `consul: read service secret: 127.0.0.1:${agent.address.port}`;
  const needs = 'service:read on "secret" and node:read on the nodes of its instances';
  const told = async (token: string | undefined) => {
    const credentials = token === undefined ? {} : { token };
    const reader = new SnapshotReader(world.createSource("secret", { credentials }));
    const { error, endpoints } = await reader.until("a snapshot", () => true);
    await reader.close();
    return [endpoints?.length, error?.code, error?.message];
  };
  const hidden = [undefined, "denied", `${words}: the token may not see the instances; the token needs ${needs}`];
  assert.deepEqual(await told("22222222-2222-2222-2222-222222222222"), hidden);
  assert.deepEqual(await told("33333333-3333-3333-3333-333333333333"), hidden);
  assert.deepEqual(await told("44444444-4444-4444-4444-444444444444"), [1, undefined, undefined]);
  assert.deepEqual(await told("unknown"), [
    undefined,
    "denied",
    `${words}: 403 Forbidden: ACL not found; the token needs ${needs}`,
  ]);
  const maybe =
    "no instances are seen, and there may be some: ACLs deny by default; no token is given, and it needs one with";
  assert.deepEqual(await told(undefined), [0, "denied", `${words}: ${maybe} ${needs}`]);
});
