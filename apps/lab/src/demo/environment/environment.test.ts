import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { describe, it } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { parseTarget, type Source } from "@grpc-lb/discovery";
import { createDnsPollSource } from "@grpc-lb/discovery/dns";
import { createFileSource } from "@grpc-lb/discovery/file";
import { createStrategies } from "../strategies.ts";
import { startEnvironment } from "./environment.ts";
import { createTemporaryFolder } from "./temporary-folder.ts";

/** The ports of the first endpoints that a source publishes. */
async function portsOf(source: Source): Promise<unknown> {
  for await (const { endpoints, error } of source.watch()) {
    if (endpoints) return endpoints.map(({ addresses: [first] }) => first?.port).sort();
    if (error) return error.message;
  }
  return "no snapshot";
}

describe("the environment", () => {
  it("publishes the port of each server by DNS and in the endpoints file, and leaves nothing behind", async () => {
    const folder = await createTemporaryFolder();
    const pods = [1, 2].map((n) => ({ podName: `server-${n}`, pid: 0, httpPort: 8000 + n, grpcPort: 9000 + n }));
    const proxies = { ports: {}, update: async () => {} };
    const options = { seed: 1, folder: folder.path, registries: {}, proxies, controlPlane: { xds: 1, envoy: 2 } };
    const environment = await startEnvironment({ pods, ...options });
    const targetOf = (name: string) => {
      const strategy = createStrategies("round_robin").find((each) => each.name === name);
      return parseTarget(strategy?.args(environment.addresses)[1] ?? "");
    };
    const dns = targetOf("dns-poll");
    const file = targetOf("file");
    assert.ok(dns.t === "dns-poll" && file.t === "file");
    const { name, port, server } = dns;
    assert.deepEqual(await portsOf(createDnsPollSource({ name, port, ...(server && { server }) })), [9001, 9002]);
    assert.deepEqual(await portsOf(createFileSource({ path: file.path })), [9001, 9002]);
    await environment.close();
    folder.remove();
    await assertNothingLeft();
  });

  it("publishes changed pods at once, and those of an outage when it is over", async () => {
    const folder = await createTemporaryFolder();
    const podOf = (n: number) => ({ podName: `server-${n}`, pid: 0, httpPort: 8000 + n, grpcPort: 9000 + n });
    const seen: number[] = [];
    const proxies = { ports: {}, update: async (pods: readonly unknown[]) => void seen.push(pods.length) };
    const options = { seed: 1, folder: folder.path, registries: {}, proxies, controlPlane: { xds: 1, envoy: 2 } };
    const environment = await startEnvironment({ pods: [podOf(1)], ...options });
    const { endpointsFile } = environment.addresses;
    const ports = () => portsOf(createFileSource({ path: endpointsFile }));
    await environment.update([podOf(1), podOf(2)]);
    assert.deepEqual(await ports(), [9001, 9002]);
    await environment.leave();
    assert.equal(existsSync(endpointsFile), false);
    await environment.update([podOf(2), podOf(3), podOf(4)]);
    assert.deepEqual(seen, [2], "the proxies hear nothing either");
    await environment.comeBack();
    assert.deepEqual(await ports(), [9002, 9003, 9004]);
    assert.deepEqual(seen, [2, 3]);
    await environment.close();
    folder.remove();
    await assertNothingLeft();
  });
});

describe("a temporary folder", () => {
  it("is removed with its exit listener", async () => {
    const exitListeners = process.listenerCount("exit");
    const folder = await createTemporaryFolder();
    assert.ok(existsSync(folder.path));
    folder.remove();
    assert.equal(existsSync(folder.path), false);
    assert.equal(process.listenerCount("exit"), exitListeners);
  });
});
