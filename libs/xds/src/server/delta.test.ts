import assert from "node:assert/strict";
import { test } from "node:test";
import { DeltaDiscoveryRequest } from "@grpc-lb/protos/envoy/service/discovery/v3";
import { delta } from "./delta.ts";
import { Subscription } from "./subscription.ts";

/** Milliseconds of CPU that 500 requests take, each of which gives back one of so many names that are not sent yet. */
function cpuOf(count: number): number {
  const subscription = new Subscription("t.v1.T");
  const send = (request: Partial<DeltaDiscoveryRequest>, isFirst: boolean) =>
    delta.subscribe(subscription, DeltaDiscoveryRequest.fromPartial(request), isFirst, undefined);
  const names = Array.from({ length: count }, (_, n) => `name-${n}`);
  send({ resourceNamesSubscribe: names }, true);
  const cpu = process.cpuUsage();
  for (const name of names.slice(0, 500)) send({ resourceNamesUnsubscribe: [name] }, false);
  const { user } = process.cpuUsage(cpu);
  const kept = [subscription.names.size, subscription.pending.size, subscription.kept.count];
  assert.deepEqual(kept, Array(3).fill(count - 500));
  return user / 1_000;
}

test("a request costs what it changes, however many names wait to be sent", () => {
  const ms = cpuOf(100_000);
  assert.ok(ms < 1_000, `500 small requests took ${ms} ms of CPU`);
});
