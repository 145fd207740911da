import assert from "node:assert/strict";
import { test } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { parseTarget, type Source } from "@grpc-lb/discovery";
import { createDnsPollSource } from "@grpc-lb/discovery/dns";
import { createFileSource } from "@grpc-lb/discovery/file";
import { podPolicy } from "../expectations.ts";
import { createStrategies } from "../strategies.ts";
import { startPlaces } from "./environment.ts";
import { makeLabFolder } from "./temporary-folder.ts";

/** The ports of the first endpoints that a source knows. */
async function portsOf(source: Source): Promise<unknown> {
  for await (const { endpoints, error } of source.watch()) {
    if (endpoints) return endpoints.map(({ addresses: [first] }) => first?.port).sort();
    if (error) return error.message;
  }
  return "no snapshot";
}

test("the name server and the file know each server by its port, and nothing is left of them", async () => {
  const folder = await makeLabFolder();
  const servers = [1, 2].map((n) => ({ podName: `server-${n}`, pid: 0, httpPort: 8000 + n, grpcPort: 9000 + n }));
  const places = await startPlaces({ servers, seed: 1, folder: folder.path, registries: {} });
  const targetOf = (name: string) => {
    const strategy = createStrategies(podPolicy("round_robin")).find((each) => each.name === name);
    return parseTarget(strategy?.args(places.addresses)[1] ?? "");
  };
  const dns = targetOf("dns-poll");
  const file = targetOf("file");
  assert.ok(dns.t === "dns-poll" && file.t === "file");
  const { name, port, server } = dns;
  assert.deepEqual(await portsOf(createDnsPollSource({ name, port, ...(server && { server }) })), [9001, 9002]);
  assert.deepEqual(await portsOf(createFileSource({ path: file.path })), [9001, 9002]);
  await places.close();
  folder.remove();
  await assertNothingLeft();
});
