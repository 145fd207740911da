import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseRecords, toEndpoints } from "./service-endpoints.ts";

const record = (target: string, priority = 0, weight = 1, port = 80) => ({ target, priority, weight, port });

test("of the records those of the lowest priority are used, in a stable order, each once", () => {
  const [a, b, spare] = [record("a", 1), record("b", 1), record("c", 2)];
  assert.deepEqual(chooseRecords([spare, b, a, a]), [a, b]);
  assert.deepEqual(
    chooseRecords([record("a", 0, 1, 81), record("a", 0, 1, 80)]).map(({ port }) => port),
    [80, 81],
  );
});

test('a target of "." is a service that is not there, and a port of 0 is none', () => {
  assert.deepEqual(chooseRecords([record("."), record(""), record("a", 0, 1, 0)]), []);
  assert.deepEqual(chooseRecords([record("."), record("b", 9)]), [record("b", 9)]);
});

const shape = (...given: Parameters<typeof toEndpoints>) =>
  toEndpoints(...given).map(({ id, addresses, weight, metadata }) => [
    id,
    addresses.map(({ host }) => host),
    weight,
    metadata.host,
  ]);

for (const [what, weight, hasWeights, A, AAAA, want] of [
  ["one address is one endpoint", 3, true, ["1.1.1.1"], [], [["a:80", ["1.1.1.1"], 3, "a"]]],
  ["one of each family is one endpoint", 3, true, ["1.1.1.1"], ["::1"], [["a:80", ["1.1.1.1", "::1"], 3, "a"]]],
  ["no address is none", 3, true, [], [], []],
  [
    "several of a family are several, which share the weight",
    3,
    true,
    ["1.1.1.1", "1.1.1.2"],
    ["::1"],
    [
      ["1.1.1.1:80", ["1.1.1.1"], 1, "a"],
      ["1.1.1.2:80", ["1.1.1.2"], 1, "a"],
      ["[::1]:80", ["::1"], 1, "a"],
    ],
  ],
  ["no weight beside others is none", 0, true, ["1.1.1.1"], [], [["a:80", ["1.1.1.1"], 0, "a"]]],
  ["no weight anywhere is the same for all", 0, false, ["1.1.1.1"], [], [["a:80", ["1.1.1.1"], 1, "a"]]],
] as const) {
  test(`an SRV record's target: ${what}`, () => {
    assert.deepEqual(shape(record("a", 0, weight), { A, AAAA }, hasWeights), want);
  });
}
