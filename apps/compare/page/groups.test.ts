import assert from "node:assert/strict";
import { test } from "node:test";
import { groupPods } from "./groups.ts";
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
