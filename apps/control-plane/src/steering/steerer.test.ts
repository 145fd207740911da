import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { type Clock, createRandom } from "@grpc-lb/core";
import { assertNothingLeft, closedPort, ManualClock, turn, until } from "@grpc-lb/core/testing";
import { fakeEndpoint } from "../../testing/fake-sources.ts";
import { readConfig } from "../config/read-config.ts";
import { connectTimeoutMs } from "./orca-stream.ts";
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
    onProblem: assert.fail,
  });
  const config = (steering: string) => readConfig({ services: { one: { target, steering }, two: { target } } });
  assert.equal(steerer.reportIntervalMs(), undefined);
  steerer.setConfig(readConfig({ services: { fast: { target, steering: { by: "lrs", interval: "200ms" } } } }));
  assert.equal(steerer.reportIntervalMs(), 200);
  steerer.setConfig(config("lrs"));
  assert.equal(steerer.reportIntervalMs(), 1_000);
  const load = { succeeded: 100, failed: 0 };
  for (let second = 0; second < 60; second++) {
    await clock.asleep();
    for (const service of ["one", "two"]) {
      steerer.report(service, 1_000, [
        { address: "10.0.0.1:80", ...load, inProgress: 2 },
        { address: "10.0.0.2:80", ...load, inProgress: 20 },
      ]);
    }
    steerer.setConfig(config("lrs")); // the same again does not start it again
    clock.advance(1_000);
    await turn();
  }
  const [fast = 0, slow = 0] = [...(factors.get("one")?.values() ?? [])];
  assert.ok(slow < 0.3 && fast > 1.7, `${fast}, ${slow}`);
  assert.equal(factors.has("two"), false);
  assert.deepEqual(steerer.status(), [{ service: "one", reporting: 2 }]);
  steerer.setConfig(config("off"));
  assert.deepEqual(factors.get("one"), new Map());
  await steerer.close();
  assert.equal(clock.sleeping, 0);
});

test("a service whose endpoints do not report says so once", async () => {
  const clock = new ManualClock();
  const still = new ManualClock();
  // The deadline of connecting never comes: what sleeps on `clock` is between two connections.
  const sleep: Clock["sleep"] = (ms, signal) => (ms === connectTimeoutMs ? still : clock).sleep(ms, signal);
  const problems: string[] = [];
  const port = await closedPort();
  const endpoints = [fakeEndpoint("127.0.0.1", { addresses: [{ host: "127.0.0.1", port }] })];
  const steerer = new Steerer({
    ...{ clock: { now: () => clock.now(), sleep }, random: createRandom(1) },
    ...{ endpointsOf: () => endpoints, onFactors: () => {} },
    onProblem: (problem) => problems.push(problem),
  });
  steerer.setConfig(readConfig({ services: { one: { target, steering: "orca" } } }));
  for (let n = 0; n < 4; n++) {
    await clock.asleep(2);
    clock.advance(120_000);
    await turn();
  }
  await until(() => problems.length > 0, "the line");
  assert.equal(problems.length, 1);
  assert.match(
    problems[0] ?? "",
    /^one: 1 of 1 endpoints report no load: 127\.0\.0\.1:\d+: UNAVAILABLE: .*ECONNREFUSED/,
  );
  await steerer.close();
});
