import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseHosts, chooseRecords, toAddressEndpoints, toServiceEndpoints } from "./reader.ts";

const record = (target: string, priority = 0, weight = 1, port = 80) => ({ target, priority, weight, port });

test("of SRV records those of the lowest priority are used, in a stable order, each once", () => {
  const [a, b, spare] = [record("a", 1), record("b", 1), record("c", 2)];
  assert.deepEqual(chooseRecords([spare, b, a, a]).used, [a, b]);
  assert.deepEqual(
    chooseRecords([record("a", 0, 1, 81), record("a", 0, 1, 80)]).used.map(({ port }) => port),
    [80, 81],
  );
});

test('a target of "." means that there is no service; other targets that are not host names, and port 0, are refused', () => {
  assert.deepEqual(chooseRecords([record("."), record("")]), { used: [], refused: [] });
  assert.deepEqual(chooseRecords([record("."), record("b.", 9)]).used, [record("b.", 9)]);
  const refused = [record("a", 0, 1, 0), record("a b"), record("10.0.0.1"), record("a..b"), record("a\\032b")];
  assert.deepEqual(chooseRecords([...refused, record("c", 1)]), { used: [record("c", 1)], refused });
});

for (const [what, A, AAAA, ipv4, ipv6, all] of [
  ["one of IPv4", ["1.1.1.1"], [], ["1.1.1.1"], ["1.1.1.1"], ["1.1.1.1"]],
  ["one of IPv6", [], ["::1"], ["::1"], ["::1"], ["::1"]],
  ["one of each", ["1.1.1.1"], ["::1"], ["1.1.1.1+::1"], ["::1+1.1.1.1"], ["1.1.1.1", "::1"]],
  [
    "two dual-stack hosts",
    ["1.1.1.1", "1.1.1.2"],
    ["::1", "::2"],
    ["1.1.1.1", "1.1.1.2"],
    ["::1", "::2"],
    ["1.1.1.1", "1.1.1.2", "::1", "::2"],
  ],
  [
    "several of IPv4 and one of IPv6",
    ["1.1.1.1", "1.1.1.2"],
    ["::1"],
    ["1.1.1.1", "1.1.1.2"],
    ["::1"],
    ["1.1.1.1", "1.1.1.2", "::1"],
  ],
  ["several of IPv6", [], ["::1", "::2"], ["::1", "::2"], ["::1", "::2"], ["::1", "::2"]],
  ["none", [], [], [], [], []],
] as const) {
  test(`each host of a name has one share: ${what}`, () => {
    for (const [rule, want] of Object.entries({ ipv4, ipv6, all } as const)) {
      const hosts = chooseHosts({ A, AAAA }, rule as "ipv4" | "ipv6" | "all").map((each) => each.join("+"));
      assert.deepEqual(hosts, want, rule);
    }
  });
}

test("the id of an endpoint is its first address, and IPv6 has one spelling", () => {
  const [both] = toAddressEndpoints({ A: ["1.1.1.1"], AAAA: ["FD00:0::1"] }, 80, "ipv4");
  assert.deepEqual(
    [both?.id, both?.addresses.map(({ host }) => host), both?.weight],
    ["1.1.1.1:80", ["1.1.1.1", "fd00::1"], 1],
  );
  assert.deepEqual(
    toAddressEndpoints({ A: [], AAAA: ["FD00:0::1"] }, 80, "ipv4").map(({ id }) => id),
    ["[fd00::1]:80"],
  );
});

const shape = (...given: Parameters<typeof toServiceEndpoints>) =>
  toServiceEndpoints(...given).map(({ id, addresses, weight, metadata }) => [
    id,
    addresses.map(({ host }) => host),
    weight,
    metadata.host,
  ]);

for (const [what, weight, hasWeights, A, AAAA, want] of [
  ["one address is one endpoint", 3, true, ["1.1.1.1"], [], [["a:80", ["1.1.1.1"], 3, "a"]]],
  ["one of each family is one endpoint", 3, true, ["1.1.1.1"], ["::1"], [["a:80", ["1.1.1.1", "::1"], 3, "a"]]],
  ["no address is no endpoint", 3, true, [], [], []],
  [
    "several hosts share the weight",
    3,
    true,
    ["1.1.1.1", "1.1.1.2"],
    ["::1", "::2"],
    [
      ["1.1.1.1:80", ["1.1.1.1"], 1.5, "a"],
      ["1.1.1.2:80", ["1.1.1.2"], 1.5, "a"],
    ],
  ],
  ["weight 0 among others is weight 0", 0, true, ["1.1.1.1"], [], [["a:80", ["1.1.1.1"], 0, "a"]]],
  ["weight 0 everywhere is the same for all", 0, false, ["1.1.1.1"], [], [["a:80", ["1.1.1.1"], 1, "a"]]],
] as const) {
  test(`a target of an SRV record: ${what}`, () => {
    assert.deepEqual(shape(record("a", 0, weight), { A, AAAA }, { hasWeights, rule: "ipv4" }), want);
  });
}

test("an address that is also there mapped into IPv6 is one address", () => {
  const [endpoint, ...more] = toAddressEndpoints({ A: ["1.1.1.1"], AAAA: ["::ffff:1.1.1.1"] }, 80, "ipv4");
  assert.deepEqual([endpoint?.addresses, more], [[{ host: "1.1.1.1", port: 80 }], []]);
});
