import assert from "node:assert/strict";
import { test } from "node:test";
import { groupByZone, groupPods } from "./groups.ts";
import type { PagePod } from "./protocol.ts";

const pod = (name: string, node: string, zone: string): PagePod => ({
  ...{ name, node, zone, letter: "A", index: 0, state: "ready" },
});

test("pods are grouped by zone and node in their order, and those without a place come last", () => {
  const pods = [
    pod("a", "", ""),
    pod("b", "n10", "z1"),
    pod("c", "n2", "z1"),
    pod("d", "n10", "z1"),
    pod("e", "n3", ""),
  ];
  assert.deepEqual(
    groupPods(pods).map(({ name, pods: members }) => [name, members.map((each) => each.name).join("")]),
    [
      ["n3", "e"],
      ["z1 · n2", "c"],
      ["z1 · n10", "bd"],
      ["", "a"],
    ],
  );
});

test("by zone the pods of a node stay side by side", () => {
  const pods = [pod("a", "n10", "z1"), pod("b", "n2", "z1"), pod("c", "n1", "z2"), pod("d", "n10", "z1")];
  assert.deepEqual(
    groupByZone(pods).map(({ title, pods: members }) => [title, members.map((each) => each.name).join("")]),
    [
      ["z1", "bad"],
      ["z2", "c"],
    ],
  );
});

test("a title has the node without its domain, and an address as it is", () => {
  const nodes = ["ip-10-0-12-3.eu-west-1.compute.internal", "10.0.12.3", "kind-worker2"];
  const titles = nodes.map((node) => groupPods([pod("a", node, "z1")])[0]?.title);
  assert.deepEqual(titles, ["z1 · ip-10-0-12-3", "z1 · 10.0.12.3", "z1 · kind-worker2"]);
});
