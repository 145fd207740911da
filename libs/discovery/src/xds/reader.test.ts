import assert from "node:assert/strict";
import { test } from "node:test";
import { ClusterLoadAssignment } from "@grpc-lb/protos/envoy/config/endpoint/v3";
import fc from "fast-check";
import { assertValidEndpoint } from "../../testing/endpoint.ts";
import { assertBounded } from "../../testing/fuzz.ts";
import { encodeAssignment, lbEndpoint, type PartialAssignment } from "../../testing/xds/world.ts";
import { formatAddress } from "../core/address.ts";
import { edsType, readAssignment } from "./reader.ts";

type Locality = NonNullable<NonNullable<PartialAssignment>["endpoints"]>[number];

const read = (assignment: PartialAssignment) =>
  edsType.decode(encodeAssignment({ clusterName: "s", ...assignment })).read();
const at = (n: number, more: Parameters<typeof lbEndpoint>[1] = {}) =>
  lbEndpoint({ host: `10.0.0.${n}`, port: 80 }, more);
const weights = (...endpoints: Locality[]) =>
  Object.fromEntries(read({ endpoints }).endpoints.map(({ id, weight }) => [id.slice(7, -3), weight]));
const zone = (name: string) => ({ region: "r", zone: name, subZone: "" });

test("addresses, zone, hostname, further addresses and metadata of an endpoint are read", () => {
  const { hostIdentifier } = at(1);
  const address = (host: string) => ({
    address: {
      $case: "socketAddress",
      value: { address: host, portSpecifier: { $case: "portValue", value: 80 } },
    } as const,
  });
  const value = {
    ...hostIdentifier.value,
    hostname: "pod-1",
    additionalAddresses: [{ address: address("FD00:0::1") }, { address: address("10.0.0.1") }],
  };
  const filterMetadata = { "envoy.lb": { version: "v2", stages: [1], canary: true } };
  const lbEndpoints = [{ hostIdentifier: { $case: "endpoint", value }, metadata: { filterMetadata } } as const];
  const { endpoints } = read({ endpoints: [{ locality: { region: "r", zone: "z", subZone: "rack" }, lbEndpoints }] });
  assert.deepEqual(endpoints, [
    {
      id: "10.0.0.1:80",
      addresses: [
        { host: "10.0.0.1", port: 80 },
        { host: "fd00::1", port: 80 },
      ],
      weight: 1,
      zone: "z",
      forZones: [],
      nodeName: undefined,
      metadata: {
        "envoy.lb.version": "v2",
        "envoy.lb.canary": "true",
        region: "r",
        subZone: "rack",
        hostname: "pod-1",
      },
    },
  ]);
});

test("UNKNOWN and HEALTHY take calls, DEGRADED only while there is no other, and no other health does", () => {
  const lbEndpoints = [0, 1, 2, 3, 4, 5, 6].map((health) => at(health, { health }));
  assert.deepEqual(weights({ lbEndpoints }), { 0: 1, 1: 1, 5: 0 });
});

test("the lowest priority that has an endpoint which takes calls is used, whatever the order", () => {
  const backup: Locality = { priority: 1, locality: zone("b"), lbEndpoints: [at(9)] };
  const down = [at(2, { health: 2 }), at(3, { health: 3 })];
  assert.deepEqual(weights(backup, { lbEndpoints: [...down, at(1)] }), { 1: 1 });
  assert.deepEqual(weights(backup, { lbEndpoints: down }), { 9: 1 });
  assert.deepEqual(weights(backup, { lbEndpoints: [at(1, { health: 5 })] }), { 9: 1 }, "a degraded one is a standby");
  assert.deepEqual(weights(backup, {}), { 9: 1 });
  assert.deepEqual(weights(), {});
});

test("a locality's weight is shared by the weights of its endpoints", () => {
  const [a, b, c] = ["a", "b", "c"].map(zone);
  const two = [at(1, { weight: 1 }), at(2, { weight: 3 })];
  assert.deepEqual(weights({ locality: a, loadBalancingWeight: 7, lbEndpoints: two }), { 1: 1, 2: 3 }, "one locality");
  const localities: Locality[] = [
    { locality: a, loadBalancingWeight: 8, lbEndpoints: two },
    { locality: b, loadBalancingWeight: 4, lbEndpoints: [at(3), at(4), at(5, { health: 2 })] },
  ];
  assert.deepEqual(weights(...localities), { 1: 2, 2: 6, 3: 2, 4: 2 });
  const none: Locality = { locality: c, lbEndpoints: [at(6)] };
  assert.deepEqual(weights(...localities, none), { 1: 2, 2: 6, 3: 2, 4: 2 }, "one without a weight gets no calls");
  assert.deepEqual(weights(none, { locality: a, lbEndpoints: two }), { 1: 1, 2: 3, 6: 1 }, "none has a weight");
});

test("a locality of weight 0 gets no calls; when all that have a weight have 0, none does", () => {
  const [a, b, c] = ["a", "b", "c"].map(zone);
  const off: Locality = { locality: a, loadBalancingWeight: 0, lbEndpoints: [at(1)] };
  const on: Locality = { locality: b, loadBalancingWeight: 4, lbEndpoints: [at(2, { weight: 3 })] };
  assert.deepEqual(weights(off, on), { 2: 3 });
  assert.deepEqual(weights(off, { locality: c, lbEndpoints: [at(3)] }), {});
  assert.deepEqual(weights(off, { ...on, priority: 1 }), { 2: 3 }, "the next priority takes the calls");
  assert.ok(read({ endpoints: [off] }).ids.has("10.0.0.1:80"), "its endpoints are there");
});

test("an address that several endpoints have counts for the first of them", () => {
  const localities: Locality[] = [
    { locality: zone("a"), loadBalancingWeight: 1, lbEndpoints: [at(1, { weight: 2 }), at(1, { weight: 5 }), at(2)] },
    { locality: zone("b"), loadBalancingWeight: 1, lbEndpoints: [at(2, { weight: 9 }), at(3)] },
    { locality: zone("a"), priority: 1, loadBalancingWeight: 1, lbEndpoints: [at(3)] },
  ];
  assert.deepEqual(weights(...localities), { 1: 2 / 3, 2: 1 / 3, 3: 1 });
  assert.deepEqual(weights({ lbEndpoints: [at(1, { health: 2 }), at(1), at(2)] }), { 2: 1 }, "also its health");
});

test("weights that add up to the greatest that there may be are taken", () => {
  const [most, half] = [2 ** 32 - 1, 2 ** 31];
  const lbEndpoints = [at(1, { weight: most - 1 }), at(2)];
  assert.deepEqual(weights({ lbEndpoints }), { 1: most - 1, 2: 1 });
  const other: Locality = { locality: zone("b"), loadBalancingWeight: half - 1, lbEndpoints: [at(3)] };
  assert.deepEqual(weights({ locality: zone("a"), loadBalancingWeight: half, lbEndpoints: [at(4)] }, other), {
    3: half - 1,
    4: half,
  });
});

test("drops are fractions; more than all is all", () => {
  const drop = (category: string, numerator: number, denominator: 0 | 1 | 2) => ({
    category,
    dropPercentage: { numerator, denominator },
  });
  const { drops } = read({ policy: { dropOverloads: [drop("a", 5, 0), drop("b", 1, 2), drop("c", 20_000, 1)] } });
  assert.deepEqual(drops, [
    { category: "a", fraction: 0.05 },
    { category: "b", fraction: 0.000001 },
    { category: "c", fraction: 1 },
  ]);
});

test("endpoints of other kinds of addresses are left out, and reported; if all are, the assignment is refused", () => {
  const { endpoints, problem } = read({ endpoints: [{ lbEndpoints: [{}, at(1)] }] });
  assert.deepEqual([endpoints.length, problem], [1, "1 of 2 endpoints have no IP address and port"]);
  assert.throws(() => read({ endpoints: [{ lbEndpoints: [{}, {}] }] }), /none of its endpoints has an IP address/);
});

for (const [what, assignment, message] of [
  [
    "port 0",
    { endpoints: [{ lbEndpoints: [at(1), lbEndpoint({ host: "10.0.0.1", port: 0 })] }] },
    /^endpoints\[0\]\.lb_endpoints\[1\]: the port must be .*, got 0$/,
  ],
  [
    "a port that is too large",
    { endpoints: [{ lbEndpoints: [lbEndpoint({ host: "a", port: 65_536 })] }] },
    /got 65536$/,
  ],
  [
    "an address that is none",
    { endpoints: [{ lbEndpoints: [lbEndpoint({ host: "a b\n", port: 1 })] }] },
    /the address must be .*, got "a b\ufffd"$/,
  ],
  [
    "an empty address",
    { endpoints: [{ lbEndpoints: [lbEndpoint({ host: "", port: 1 })] }] },
    /the address must be .*, got ""$/,
  ],
  ["a gap between priorities", { endpoints: [{}, { priority: 2 }] }, /^priority 1 is missing, of 2 priorities$/],
  ["no priority 0", { endpoints: [{ priority: 1 }] }, /^priority 0 is missing/],
  [
    "a locality twice in a priority",
    { endpoints: [{ locality: zone("a") }, { locality: zone("a") }] },
    /^endpoints\[1\]: locality .* is given twice/,
  ],
  [
    "an endpoint of weight 0",
    { endpoints: [{ lbEndpoints: [at(1), at(2, { weight: 0 })] }] },
    /^endpoints\[0\]\.lb_endpoints\[1\]: its weight must be at least 1, got 0$/,
  ],
  [
    "weights of endpoints whose sum is too large",
    { endpoints: [{}, { locality: zone("a"), lbEndpoints: [at(1, { weight: 2 ** 32 - 1 }), at(2, { health: 2 })] }] },
    /^endpoints\[1\]: the weights of its endpoints add up to 4294967296, more than 4294967295$/,
  ],
  [
    "weights of localities whose sum is too large",
    { endpoints: ["a", "b"].map((name) => ({ locality: zone(name), loadBalancingWeight: 2 ** 31 })) },
    /^the weights of the localities of priority 0 add up to 4294967296, more than 4294967295$/,
  ],
  [
    "a denominator that there is not",
    { policy: { dropOverloads: [{ dropPercentage: { numerator: 1, denominator: 9 as 0 } }] } },
    /^policy\.drop_overloads\[0\]: unknown denominator$/,
  ],
] as const satisfies readonly (readonly [string, PartialAssignment, RegExp])[]) {
  test(`an assignment with ${what} is refused as a whole, with the reason`, () => {
    assert.throws(() => read(assignment as PartialAssignment), { message });
  });
}

const port = fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 1, max: 65_535 }) }, fc.nat(100_000));
const host = fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain(), { weight: 1, arbitrary: fc.string({ maxLength: 8 }) });
const uint = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const weight = fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 1, max: 100 }) }, uint);
const endpoint = fc
  .record({ host, port, weight: fc.option(weight, { nil: undefined }), health: fc.nat(6) })
  .map(({ host, port, weight, health }) =>
    lbEndpoint({ host, port }, { health, ...(weight !== undefined && { weight }) }),
  );
const localities = fc.array(
  fc.record({
    locality: fc.string({ maxLength: 2 }).map(zone),
    priority: fc.nat(2),
    loadBalancingWeight: fc.option(fc.oneof(fc.nat(100), weight), { nil: undefined }),
    lbEndpoints: fc.array(endpoint, { maxLength: 4 }),
  }),
  { maxLength: 4 },
);

test("whatever an assignment has, what is read satisfies the types, or it is refused with a short error", () => {
  assertBounded(
    fc.property(
      localities,
      fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(255)), { maxLength: 3 }),
      (endpoints, changes) => {
        const bytes = Buffer.from(encodeAssignment({ clusterName: "s", endpoints }));
        for (const [where, value] of changes) bytes[Math.floor(where * (bytes.length - 1))] = value;
        let assignment: ReturnType<typeof read>;
        try {
          assignment = edsType.decode(bytes).read();
        } catch (error) {
          assert.ok(
            error instanceof Error && error.message.length < 500 && !(error instanceof TypeError),
            String(error),
          );
          return;
        }
        for (const each of assignment.endpoints) {
          assertValidEndpoint(each);
          assert.equal(each.id, formatAddress(each.addresses[0] ?? { host: "", port: 0 }));
        }
        for (const { fraction } of assignment.drops) assert.ok(fraction >= 0 && fraction <= 1);
      },
    ),
    2_000,
  );
});

test("an assignment with too many localities, or an endpoint with too many addresses, is refused", () => {
  const read = (endpoints: readonly object[]) =>
    readAssignment(ClusterLoadAssignment.fromPartial({ clusterName: "a", endpoints: [...endpoints] }));
  const socketAddress = { address: "10.0.0.1", portSpecifier: { $case: "portValue", value: 80 } };
  const address = { address: { $case: "socketAddress", value: socketAddress } };
  const withAddresses = (count: number) => [
    {
      lbEndpoints: [
        {
          hostIdentifier: {
            $case: "endpoint",
            value: { address, additionalAddresses: Array(count).fill({ address }) },
          },
        },
      ],
    },
  ];
  assert.throws(() => read(Array(100_001).fill({})), { message: "it has 100001 localities, more than 100000" });
  assert.equal(read(Array(100_000).fill({})).endpoints.length, 0);
  assert.throws(() => read(withAddresses(101)), {
    message: "endpoints[0].lb_endpoints[0] has more than 100 additional addresses",
  });
  assert.equal(read(withAddresses(100)).endpoints.length, 1);
});

test("any bytes are read, or refused", () => {
  assertBounded(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      try {
        for (const each of edsType.decode(bytes).read().endpoints) assertValidEndpoint(each);
      } catch (error) {
        assert.ok(error instanceof Error && !(error instanceof TypeError), String(error));
      }
    }),
    5_000,
  );
});
