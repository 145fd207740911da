import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { SnapshotReader } from "../../testing/snapshot-reader.ts";
import { createStaticSource } from "./source.ts";

afterEach(assertNothingLeft);

const at = (port: number, host = "10.0.0.1") => ({ address: { host, port } });

test("the endpoints come once, in the order given, with their weights, and the watch goes on until it is ended", async () => {
  const source = createStaticSource({ endpoints: [{ ...at(2), weight: 3 }, at(1), at(1, "fd00::1")] });
  const reader = new SnapshotReader(source);
  const { endpoints, error, subject } = await reader.until("a snapshot", () => true);
  assert.deepEqual(
    endpoints?.map(({ id, weight }) => [id, weight]),
    [
      ["10.0.0.1:2", 3],
      ["10.0.0.1:1", 1],
      ["[fd00::1]:1", 1],
    ],
  );
  assert.deepEqual([error, subject], [undefined, "static 10.0.0.1:2,10.0.0.1:1,[fd00::1]:1"]);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(reader.snapshots.length, 1);
  await reader.close();
  assert.deepEqual([source.stats.watches, source.stats.lists], [1, 0]);
});

test("a break ends the watch, and an abort does while nothing comes", async () => {
  const source = createStaticSource({ endpoints: [at(1)] });
  for await (const { endpoints } of source.watch()) {
    assert.equal(endpoints?.length, 1);
    break;
  }
  const snapshots = source.watch();
  await snapshots.next();
  const waiting = snapshots.next();
  await snapshots.return?.();
  assert.deepEqual(await waiting, { done: true, value: undefined });
  assert.deepEqual(await source.watch(AbortSignal.abort()).next(), { done: true, value: undefined });
});

test("an address that occurs twice, and a weight that is not valid, are refused", () => {
  assert.throws(() => createStaticSource({ endpoints: [at(1), at(1)] }), {
    name: "RangeError",
    message: "endpoints must have each address once, got 10.0.0.1:1 twice",
  });
  for (const weight of [-1, Number.NaN, 2 ** 32]) {
    const endpoints = [{ ...at(1), weight }];
    assert.throws(() => createStaticSource({ endpoints }), /^RangeError: the weight of 10\.0\.0\.1:1 must be a number/);
  }
});

test("an endpoint of weight 0 is used only while there is no other", async () => {
  for (const [weights, want] of [
    [[0, 1], ["10.0.0.1:2"]],
    [
      [0, 0],
      ["10.0.0.1:1", "10.0.0.1:2"],
    ],
  ] as const) {
    const source = createStaticSource({ endpoints: weights.map((weight, n) => ({ ...at(n + 1), weight })) });
    for await (const { endpoints } of source.watch()) {
      assert.deepEqual(
        endpoints?.map(({ id }) => id),
        want,
      );
      break;
    }
  }
});

test("two spellings of an IPv6 address are one, which may not occur twice", () => {
  assert.throws(() => createStaticSource({ endpoints: [at(1, "fd00::1"), at(1, "FD00:0::1")] }), {
    name: "RangeError",
    message: "endpoints must have each address once, got [fd00::1]:1 twice",
  });
});
