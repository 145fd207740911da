import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { createRandom } from "@grpc-lb/core";
import { assertNothingLeft, ManualClock, turn } from "@grpc-lb/core/testing";
import { fakeEndpoint } from "../../testing/fake-sources.ts";
import { readConfig } from "../config/read-config.ts";
import { ClientLoads } from "./client-loads.ts";
import { Steerer } from "./steerer.ts";

afterEach(assertNothingLeft);

const target = "static:///10.0.0.1:80";

test("reports of clients move the weights of a service that is steered by them, and of no other", async () => {
  const clock = new ManualClock();
  const factors = new Map<string, ReadonlyMap<string, number>>();
  const endpoints = [fakeEndpoint("10.0.0.1"), fakeEndpoint("10.0.0.2")];
  const steerer = new Steerer({
    ...{ clock, random: createRandom(1), endpointsOf: () => endpoints },
    onFactors: (service, given) => factors.set(service, given),
  });
  const config = (steering: string) => readConfig({ services: { one: { target, steering }, two: { target } } });
  steerer.setConfig(config("lrs"));
  const load = { succeeded: 100, failed: 0 };
  for (let second = 0; second < 20; second++) {
    await clock.asleep();
    for (const service of ["one", "two"]) {
      for (const client of ["x", "y"]) {
        steerer.report(service, client, 1_000, [
          { address: "10.0.0.1:80", ...load, inProgress: 1 },
          { address: "10.0.0.2:80", ...load, inProgress: 10 },
        ]);
      }
    }
    steerer.setConfig(config("lrs")); // the same again does not start it again
    clock.advance(1_000);
    await turn();
  }
  const [fast = 0, slow = 0] = [...(factors.get("one")?.values() ?? [])];
  assert.ok(slow < 0.25 && fast > 1.7, `${fast}, ${slow}`);
  assert.equal(factors.has("two"), false);
  steerer.setConfig(config("off"));
  assert.deepEqual(factors.get("one"), new Map());
  await steerer.close();
  assert.equal(clock.sleeping, 0);
});

test("the loads of clients add up, and a client that reports no more is forgotten", () => {
  const loads = new ClientLoads();
  loads.report("x", 1_000, [{ address: "a", succeeded: 9, failed: 1, inProgress: 2 }], 0);
  loads.report("y", 2_000, [{ address: "a", succeeded: 10, failed: 0, inProgress: 1 }], 3_000);
  loads.report("z", 0, [{ address: "a", succeeded: 10, failed: 0, inProgress: 1 }], 3_000);
  assert.deepEqual(
    [...loads.read(3_000, 5_000)],
    [["a", { callsPerSecond: 15, errorsPerSecond: 1, utilization: 3.015 }]],
  );
  const later = loads.read(5_000, 5_000).get("a");
  assert.ok(later && later.callsPerSecond < 15 && later.callsPerSecond > 5, JSON.stringify(later));
  assert.equal(loads.read(8_000, 5_000).size, 0);
});

test("calls in flight are averaged: one that is seen now and then is not one that is always there", () => {
  const loads = new ClientLoads();
  const at = (address: string, inProgress: number) => ({ address, succeeded: 5, failed: 0, inProgress });
  let read = loads.read(0, 5_000);
  for (let second = 1; second <= 60; second++) {
    loads.report("x", 1_000, [at("busy", 1), at("quick", second % 10 === 0 ? 1 : 0)], second * 1_000);
    read = loads.read(second * 1_000, 5_000);
  }
  const [busy = 0, quick = 0] = ["busy", "quick"].map((address) => read.get(address)?.utilization);
  assert.ok(busy / quick > 3, `${busy}, ${quick}`);
});
