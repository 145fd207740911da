import assert from "node:assert/strict";
import { test } from "node:test";
import { assertNothingLeft, ManualClock, until } from "@grpc-lb/core/testing";
import type { SourceOptions } from "@grpc-lb/discovery";
import { FakeDnsServer } from "@grpc-lb/discovery/testing";
import { createSourceIn } from "@grpc-lb/discovery/testing/context";
import type { PodClient } from "../testing/rig.ts";

// With this grpc-js queries the name server in its dns: target; else the system resolves. grpc-js reads it when it is loaded.
process.env.GRPC_NODE_USE_ALTERNATIVE_RESOLVER = "true";
const { credentials } = await import("@grpc/grpc-js");
const { PodServiceClient } = await import("@grpc-lb/protos/pod/v1");
const { PodServer } = await import("../testing/pod-server.ts");
const { bareContext, spread, untilSpread } = await import("../testing/rig.ts");
const { registerResolversIn } = await import("./resolvers.ts");

test("the record of a new pod is seen while no connection fails, which grpc-js's own dns: does not see", async (t) => {
  const clock = new ManualClock();
  const createSource = (target: string, options: SourceOptions) => createSourceIn(target, options, { clock });
  const resolvers = registerResolversIn({ warn: assert.fail }, { ...bareContext, clock, createSource });
  const dns = await FakeDnsServer.start();
  const a = await PodServer.start("a");
  const b = await PodServer.start("b", undefined, {}, { host: "127.0.0.2", port: a.port });
  const clients: PodClient[] = [];
  t.after(async () => {
    for (const client of clients) client.close();
    await until(() => resolvers.stats().length === 0, "no target in use");
    for (const pod of [a, b]) pod.kill();
    await dns.close();
    await assertNothingLeft();
  });
  const make = (scheme: string, name: string): PodClient => {
    const target = `${scheme}://127.0.0.1:${dns.address.port}/${name}:${a.port}`;
    const client = new PodServiceClient(target, credentials.createInsecure(), {
      "grpc.service_config": JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
      "grpc.service_config_disable_resolution": 1,
      "grpc.use_local_subchannel_pool": 1,
      "grpc.enable_http_proxy": 0,
      "grpc.dns_min_time_between_resolutions_ms": 1, // else dns: waits up to 30 s before it resolves again
    });
    clients.push(client);
    return client;
  };
  const set = (...A: readonly string[]) => {
    for (const name of ["polled.example", "own.example"]) dns.set(name, { A, ttlSeconds: 1 });
  };
  const questionsForOwn = () => dns.queries.filter(({ name }) => name === "own.example").length;

  set("127.0.0.1");
  const [polled, own] = [make("dns-poll", "polled.example"), make("dns", "own.example")];
  for (const client of [polled, own]) assert.deepEqual(await spread(client, 3), { a: 3 });
  const before = questionsForOwn();
  assert.ok(before > 0, "both query this name server");

  set("127.0.0.1", "127.0.0.2");
  await until(() => {
    clock.advance(500);
    return resolvers.stats()[0]?.endpoints === 2;
  }, "two endpoints");
  await untilSpread(polled, a, b);
  assert.deepEqual(await spread(polled, 10), { a: 5, b: 5 });
  assert.deepEqual(await spread(own, 10), { a: 10 });
  assert.equal(questionsForOwn(), before, "no further query");

  a.sendGoaway(); // the end of a connection makes it resolve again
  await untilSpread(own, a, b);
  assert.ok(questionsForOwn() > before);
});
