import assert from "node:assert/strict";
import { test } from "node:test";
import { choosePodLayout } from "./pod-layout.ts";
import type { PagePod } from "./protocol.ts";

/** Pods on so many nodes in three zones; without zones when `zone` is empty, and without places on no node. */
const podsOn = (count: number, nodes: number, zone = "eu-west-1"): readonly PagePod[] =>
  Array.from({ length: count }, (_, i) => {
    const at = i % Math.max(1, nodes);
    const place = { node: nodes === 0 ? "" : `ip-10-0-12-${at}.internal`, zone: zone && `${zone}${"abc"[at % 3]}` };
    return { name: `server-${i}`, letter: "A", index: i, state: "ready", ...place };
  });

for (const [behaviour, pods, isTall, size, groups] of [
  ["few pods on few nodes are large, by node", podsOn(8, 3), true, "large", 3],
  ["a pod on each of many nodes is large, by zone", podsOn(12, 12), true, "large", 3],
  ["many pods on some nodes are small, by node", podsOn(50, 10), true, "small", 10],
  ["in a low panel they are small, by zone", podsOn(30, 30), false, "small", 3],
  ["where zones do not fit either, they are together", podsOn(50, 50), false, "small", 1],
  ["without zones small ones are by node", podsOn(8, 8, ""), false, "small", 8],
  ["without a place they are together", podsOn(12, 0, ""), false, "large", 1],
  ["many without a place are small", podsOn(20, 0, ""), false, "small", 1],
] as const) {
  test(behaviour, () => {
    const layout = choosePodLayout(pods, isTall);
    assert.deepEqual([layout.isSmall ? "small" : "large", layout.groups.length], [size, groups]);
    const shown = layout.groups.flatMap((group) => group.pods.map(({ name }) => name)).sort();
    assert.deepEqual(shown, pods.map(({ name }) => name).sort());
  });
}
