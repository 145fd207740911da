import assert from "node:assert/strict";
import { test } from "node:test";
import { Metadata, status } from "@grpc/grpc-js";
import { PodServiceService } from "@grpc-lb/protos/pod/v1";
import type { Backend } from "../../testing/backend.ts";
import { type PodClient, Rig } from "../../testing/rig.ts";
import type { PolicyJson } from "../grpc-js.ts";
import { policyNames, registerPolicies } from "../registration/register.ts";

registerPolicies();

/** gRFC A6. */
const retryPolicy = {
  maxAttempts: 3,
  initialBackoff: "0.001s",
  maxBackoff: "0.001s",
  backoffMultiplier: 1,
  retryableStatusCodes: ["UNAVAILABLE"],
};
const [, service = ""] = PodServiceService.getPod.path.split("/");

function policyOf(name: string): PolicyJson {
  if (name === "subset") return { subset: { subsetSize: 3, childPolicy: [{ random: {} }] } };
  if (name === "locality") return { locality: { childPolicy: [{ random: {} }] } };
  return { [name]: name.endsWith("_hash") || name === "maglev" ? { requestHashHeader: "x-key" } : {} };
}

function callWithKey(client: PodClient, key: string): Promise<string> {
  const metadata = new Metadata();
  metadata.set("x-key", key);
  return new Promise((resolve) =>
    client.getPod({}, metadata, { deadline: Date.now() + 20_000 }, (error, response) =>
      resolve(error ? status[error.code] : (response.pod?.name ?? "")),
    ),
  );
}

/** Calls with different keys until each server was called: all connections are up. */
async function untilAllCalled(client: PodClient, backends: readonly Backend[]): Promise<void> {
  for (let key = 0; backends.some(({ calls }) => calls === 0); key++) {
    assert.ok(key < 1_000, "a server gets no call");
    await callWithKey(client, `warm-up-${key}`);
  }
}

for (const name of policyNames) {
  test(`${name}: with 3 attempts no call fails while 2 of 3 servers are well`, async (t) => {
    const rig = new Rig(t);
    const backends = await rig.start("a", "b", "failing");
    rig.publish(backends);
    const client = rig.client(policyOf(name), {}, [{ name: [{ service }], retryPolicy }]);
    await untilAllCalled(client, backends);
    backends[2].fail(status.UNAVAILABLE);
    const seen = backends[2].calls;
    const results = await Promise.all(Array.from({ length: 150 }, (_, n) => callWithKey(client, `key-${n}`)));
    const counts: Record<string, number> = {};
    for (const result of results) counts[result] = (counts[result] ?? 0) + 1;
    assert.deepEqual(Object.keys(counts).sort(), ["a", "b"]);
    assert.ok(backends[2].calls > seen, "the failing server was tried");
  });
}

for (const name of policyNames) {
  test(`${name}: with hedging no call waits for a frozen server while another one answers`, async (t) => {
    const rig = new Rig(t);
    const backends = await rig.start("a", "b", "frozen");
    rig.publish(backends);
    const hedgingPolicy = { maxAttempts: 2, hedgingDelay: "0.01s" };
    const client = rig.client(policyOf(name), {}, [{ name: [{ service }], hedgingPolicy }]);
    await untilAllCalled(client, backends);
    backends[2].freeze();
    const seen = backends[2].calls;
    for (let key = 0; key < 30 || backends[2].calls === seen; key++) {
      assert.ok(key < 1_000, "the frozen server gets no call");
      assert.notEqual(await callWithKey(client, `key-${key}`), "DEADLINE_EXCEEDED");
    }
  });
}

test("a retry with a key goes to the same other server each time", async (t) => {
  const rig = new Rig(t);
  const backends = await rig.start("a", "b", "failing");
  rig.publish(backends);
  const client = rig.client({ ring_hash: { requestHashHeader: "x-key" } }, {}, [{ name: [{ service }], retryPolicy }]);
  await untilAllCalled(client, backends);
  backends[2].fail(status.UNAVAILABLE);
  for (let key = 0; key < 30; key++) {
    const first = await callWithKey(client, `key-${key}`);
    for (let n = 0; n < 3; n++) assert.equal(await callWithKey(client, `key-${key}`), first, `key-${key}`);
  }
});
