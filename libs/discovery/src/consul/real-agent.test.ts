import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { startProgram } from "@grpc-lb/program/testing";
import { startHealthServer } from "../../testing/consul/health-server.ts";
import { whyNoConsul } from "../../testing/consul/real-agent.ts";
import { registrationBehaviours } from "../../testing/consul/registration-behaviours.ts";
import { requestAgent } from "../../testing/consul/request-agent.ts";
import { onRealAgent } from "../../testing/consul/world.ts";
import { SnapshotReader } from "../../testing/snapshot-reader.ts";
import { sourceBehaviours } from "../../testing/source-conformance.ts";
import { registerInConsul } from "./registration.ts";
import type { ConsulSourceOptions } from "./source.ts";

const skip = (await whyNoConsul()) ?? false;

after(assertNothingLeft);

// Most of their time is a TTL or a deadline, so they run at the same time. Each has its own agent: an agent that fails to write
// one service to its catalog writes the others after 15 s.
describe("a real agent", { skip, concurrency: 4, timeout: 90_000 }, () => {
  for (const { name, cannot, run } of sourceBehaviours) {
    test(name, (t) =>
      onRealAgent(async (world) => {
        const why = cannot(world);
        if (why !== undefined) return t.skip(why);
        await run(world, "web");
      }),
    );
  }
  for (const { name, run } of registrationBehaviours) test(name, () => onRealAgent((world) => run(world, "web")));

  test("with a gRPC check an instance is listed while it reports that it serves, and not before or after", () =>
    onRealAgent(async (world) => {
      const server = await startHealthServer();
      server.setServing(false);
      const { agent, credentials } = world;
      const reader = new SnapshotReader(world.createSource("web"));
      const check = { t: "grpc", timeoutMs: 500, service: "pod" } as const;
      const instance = { service: "web", address: server.address, ttlMs: 1_000 };
      const registration = registerInConsul({ agent, credentials, check, instance });
      try {
        await registration.registered;
        await reader.untilAddresses();
        server.setServing(true);
        await reader.untilAddresses(`127.0.0.1:${server.address.port}`);
        assert.equal(server.requested.at(-1), "pod");
        server.setServing(false);
        await reader.untilAddresses();
      } finally {
        await registration.close();
        await reader.close();
        await server.close();
      }
    }));

  test("in the maintenance of its node an instance takes no calls: it is left out, with healthy=false it is used while there is no other", () =>
    onRealAgent(async (world, { token }) => {
      const address = { host: "10.9.3.1", port: 1 };
      await world.put("web", { address });
      // An instance on another node, which is not in maintenance.
      const Service = { ID: "web-2", Service: "web", Address: "10.9.3.2", Port: 1 };
      const elsewhere = { Node: "elsewhere", Address: "10.9.3.9", Service };
      const reader = new SnapshotReader(world.createSource("web"));
      const all = new SnapshotReader(world.createSource("web", { healthy: false }));
      try {
        for (const each of [reader, all]) await each.untilAddresses("10.9.3.1:1");
        await requestAgent(world.agent, "PUT", "/v1/agent/maintenance?enable=true", { token });
        await reader.untilAddresses();
        await all.until("a weight of 0", ({ endpoints }) => endpoints?.[0]?.weight === 0);
        assert.deepEqual(all.addresses, ["10.9.3.1:1"]);
        await requestAgent(world.agent, "PUT", "/v1/catalog/register", { token, body: elsewhere });
        for (const each of [reader, all]) await each.untilAddresses("10.9.3.2:1");
      } finally {
        await reader.close();
        await all.close();
      }
    }));

  test("what Consul accepts and cannot be called is named; an Enterprise parameter is refused in Consul's words", () =>
    onRealAgent(async (world, { token, address: { port } }) => {
      for (const [ID, Port] of [
        ["a", 0],
        ["b", 80_000],
      ] as const) {
        await requestAgent(world.agent, "PUT", "/v1/agent/service/register", {
          token,
          body: { ID, Name: "web", Port },
        });
      }
      const words = `consul: read service web: 127.0.0.1:${port}`;
      const messageOf = async (options: Partial<ConsulSourceOptions> = {}) => {
        const reader = new SnapshotReader(world.createSource("web", options));
        const { error } = await reader.until("an error", (snapshot) => snapshot.error !== undefined);
        await reader.close();
        return [error?.code, error?.message];
      };
      const none = `${words}: none of its 2 instances can be used: real/a: it has no port; real/b: its port must be from 1 to 65535, got 80000`;
      assert.deepEqual(await messageOf(), ["portNotFound", none]);
      const [code, message] = await messageOf({ namespace: "team" });
      assert.equal(code, "invalid");
      assert.match(
        message ?? "",
        /400 Bad Request: Invalid query parameter: "ns" - Namespaces are a Consul Enterprise feature$/,
      );
    }));

  test("an instance whose process is killed disappears after its TTL", () =>
    onRealAgent(async (world, agent) => {
      const { host, port } = world.agent;
      const reader = new SnapshotReader(world.createSource("web"));
      const probe = new URL("../../testing/programs/consul-registration.ts", import.meta.url).pathname;
      const program = startProgram(probe, [host, String(port), "web", agent.token ?? ""]);
      try {
        await program.line((line) => line === "registered");
        await reader.untilAddresses("10.9.1.9:1");
        program.kill("SIGKILL");
        await program.exited;
        const killedMs = performance.now();
        await reader.untilAddresses();
        const tookMs = performance.now() - killedMs;
        assert.ok(tookMs < 3_000, `${tookMs} ms with a TTL of 1 s`);
      } finally {
        await program.stop();
        await reader.close();
      }
    }));

  test("an error of missing rights names the rights", () =>
    onRealAgent(async (world, agent) => {
      const token = (digit: string) => `${digit}2345678-1234-1234-1234-123456789012`;
      const service = 'service "web" { policy = "read" }';
      await world.put("web", { address: { host: "10.9.2.1", port: 1 } });
      await agent.putToken(token("2"));
      await agent.putToken(token("3"), service);
      await agent.putToken(token("4"), `${service}\nnode_prefix "" { policy = "read" }`);
      const words = `consul: read service web: 127.0.0.1:${agent.address.port}`;
      const needs = 'service:read on "web" and node:read on the nodes of its instances';
      const snapshotWith = async (secret?: string) => {
        const credentials = secret === undefined ? {} : { token: secret };
        const reader = new SnapshotReader(world.createSource("web", { credentials }));
        const { error, endpoints } = await reader.until("a snapshot", () => true);
        await reader.close();
        return [endpoints?.length, error?.code, error?.message];
      };
      const hidden = [
        undefined,
        "permissionDenied",
        `${words}: the token may not see the instances; the token needs ${needs}`,
      ];
      assert.deepEqual(await snapshotWith(token("2")), hidden);
      assert.deepEqual(await snapshotWith(token("3")), hidden);
      assert.deepEqual(await snapshotWith(token("4")), [1, undefined, undefined]);
      const unknown = `${words}: 403 Forbidden: ACL not found; the token needs ${needs}`;
      assert.deepEqual(await snapshotWith("unknown"), [undefined, "permissionDenied", unknown]);
      const maybe = "no instances are visible, and there may be some: ACLs deny by default; no token is given";
      assert.deepEqual(await snapshotWith(), [
        0,
        "permissionDenied",
        `${words}: ${maybe}; one is needed with ${needs}`,
      ]);
    }));
});
