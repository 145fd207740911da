import assert from "node:assert/strict";
import { test } from "node:test";
import { localShare } from "./local-share.ts";

test("local endpoints get the calls they can carry, as with Envoy's priorities", () => {
  // local healthy, remote healthy, local share: the table of Envoy's "Priority levels", with two levels
  const table: [number, number, number][] = [
    [1, 1, 1],
    [0.72, 1, 1],
    [0.71, 1, 0.994],
    [0.5, 1, 0.7],
    [0.25, 1, 0.35],
    [0, 1, 0],
    [0.25, 0.25, 0.5],
    [0.5, 0.1, 0.7 / 0.84],
    [0.5, 0, 1],
    [0, 0, 1],
  ];
  for (const [local, remote, want] of table) {
    const got = localShare(local, remote, 1.4);
    assert.ok(Math.abs(got - want) < 1e-9, `localShare(${local}, ${remote}): got ${got}, want ${want}`);
  }
  assert.equal(localShare(0.5, 1, 1), 0.5);
  assert.equal(localShare(0.5, 1, 2), 1);
});
