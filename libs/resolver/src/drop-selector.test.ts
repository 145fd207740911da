import assert from "node:assert/strict";
import { test } from "node:test";
import { Metadata } from "@grpc/grpc-js";
import { createRandom } from "@grpc-lb/core";
import { call, failure, Rig, settled, spread } from "../testing/rig.ts";
import { createDropSelector } from "./drop-selector.ts";

test("each drop takes its part of the calls that the ones before let through", () => {
  const drops = [
    { category: "a", fraction: 0.2 },
    { category: "b", fraction: 0.5 },
  ];
  const selector = createDropSelector(drops, { loadBalancingConfig: [], methodConfig: [] }, createRandom(1));
  const calls = Array.from({ length: 10_000 }, () => selector.invoke("/s/m", new Metadata(), 0));
  const dropped = calls.filter(({ dynamicFilterFactories: [one] }) => one !== undefined).length / calls.length;
  assert.ok(Math.abs(dropped - 0.6) < 0.02, `${dropped} of the calls`);
});

test("a call has the config of its method, by the most specific name", () => {
  const config = (...name: { service: string; method?: string }[]) => ({ name });
  const all = config({ service: "" });
  const ofService = config({ service: "s" });
  const ofMethod = config({ service: "x" }, { service: "s", method: "m" });
  const serviceConfig = { loadBalancingConfig: [], methodConfig: [all, ofService, ofMethod] };
  const selector = createDropSelector([], serviceConfig, () => 0);
  const chosen = (path: string) => selector.invoke(path, new Metadata(), 0).methodConfig;
  for (const [path, want] of [
    ["/s/m", ofMethod],
    ["/s/other", ofService],
    ["/t/m", all],
    ["/s/m", ofMethod],
  ] as const) {
    assert.equal(chosen(path), want, path);
  }
  assert.deepEqual(
    createDropSelector([], { loadBalancingConfig: [], methodConfig: [] }, () => 0).invoke("/s/m", new Metadata(), 0)
      .methodConfig,
    {
      name: [],
    },
  );
});

test("dropped calls fail with UNAVAILABLE, and a change of the drops opens no connection", async (t) => {
  const rig = new Rig(t);
  const [a] = await rig.start("a");
  const source = rig.source();
  source.setEndpoints([a.endpoint]);
  const client = rig.client({ policy: "round_robin" });
  assert.equal(await call(client), "a");
  for (const fraction of [1, 0.999_999_999]) {
    source.setDrops({ category: "busy", fraction });
    await settled();
    assert.equal(await failure(client), "the control plane drops a part of the calls: busy");
  }
  source.setDrops();
  await settled();
  assert.deepEqual(await spread(client, 3), { a: 3 });
  assert.equal(a.connections, 1);
});
