import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "@grpc-lb/core";
import { ManualClock } from "@grpc-lb/core/testing";
import fc from "fast-check";
import { assertValidEndpoint } from "../../testing/endpoint.ts";
import { anyText, assertBounded, mutated } from "../../testing/fuzz.ts";
import { SnapshotStore } from "../core/snapshot-store.ts";
import { parseRegistrationTarget } from "../registration-target.ts";
import { parseTarget } from "../target.ts";
import type { ConsulAnswer, ConsulClient, ConsulRequest } from "./client.ts";
import { describe } from "./error.ts";
import { followIndex, HealthWatch } from "./health-watch.ts";
import { readHealth, readIndex, UnreadableAnswer } from "./reader.ts";
import { defineService } from "./service-definition.ts";
import { defineConsulSource } from "./source.ts";

/** Values that a field may have, right and wrong ones. */
const leaf = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    0,
    -5,
    1,
    80,
    0.5,
    65_536,
    1e308,
    "",
    "passing",
    "critical",
    "10.0.0.1",
    "fd00::1",
  ),
  fc.string({ maxLength: 5 }),
);
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { depthSize: "small" },
    leaf,
    fc.array(tie("tree"), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom("Node", "ID", "Meta", "Zone", "zone", "__proto__", "Passing"), tie("tree"), {
      maxKeys: 4,
    }),
  ),
}));
const maybe = (right: fc.Arbitrary<unknown>) => fc.oneof({ weight: 8, arbitrary: right }, tree);
const fields = (model: Record<string, fc.Arbitrary<unknown>>) =>
  fc.record(Object.fromEntries(Object.entries(model).map(([name, right]) => [name, maybe(right)])), {
    requiredKeys: [],
  });

const meta = fc.dictionary(
  fc.constantFrom("zone", "grpc-lb-weight", "__proto__"),
  maybe(fc.constantFrom("a", "3", "-1")),
);
const locality = fields({ Zone: fc.constant("z") });
const status = fc.constantFrom("passing", "warning", "critical", "maintenance");
const instance = fields({
  Node: fields({
    Node: fc.constantFrom("n", "m"),
    Address: fc.constantFrom("10.0.0.9", ""),
    Meta: meta,
    Locality: locality,
  }),
  Service: fields({
    ID: fc.constantFrom("a", "b", "c"),
    Service: fc.constant("s"),
    Address: fc.constantFrom("10.0.0.1", "10.0.0.2", "fd00::1", "FD00:0::1", "[fd00::1]", "web.example", "not a host!"),
    Port: fc.constantFrom(80, 81, 0, -1, 80_000),
    Meta: meta,
    Weights: fields({ Passing: fc.constantFrom(1, 7), Warning: fc.constantFrom(0, 1) }),
    Locality: locality,
  }),
  Checks: fc.array(maybe(fields({ Status: status, ServiceName: fc.constantFrom("", "s", "x") })), { maxLength: 3 }),
});
const list = fc.array(maybe(instance), { maxLength: 5 });

test("any instance gives a valid endpoint, or a short reason", () => {
  assertBounded(
    fc.property(list, (value) => {
      const instances = readHealth(JSON.stringify(value));
      assert.equal(instances.length, value.length);
      for (const each of instances) {
        if (each.t === "endpoint") assertValidEndpoint(each.endpoint);
        else assert.ok(each.why.length < 300, each.why);
        assert.ok(each.id === undefined || typeof each.id === "string");
      }
    }),
    5_000,
  );
});

test("any text is read, or refused with an error that does not quote it", () => {
  const texts = fc.oneof(anyText(), mutated(list.map((value) => JSON.stringify(value))));
  assertBounded(
    fc.property(texts, (text) => {
      try {
        readHealth(text);
      } catch (error) {
        assert.ok(error instanceof UnreadableAnswer, String(error));
        assert.ok(error.message.length < 150, error.message);
      }
    }),
    5_000,
  );
});

test("any index is a whole number, or refused; the next one never decreases but to 0", () => {
  assertBounded(
    fc.property(fc.oneof(anyText(30), fc.nat().map(String)), fc.nat(), (text, requested) => {
      try {
        const index = readIndex(text);
        assert.ok(Number.isInteger(index) && index >= 0);
        const next = followIndex(requested, index);
        assert.ok(next === 0 || next >= Math.max(requested, 1));
      } catch (error) {
        assert.ok(error instanceof UnreadableAnswer, String(error));
      }
    }),
    5_000,
  );
});

test("after any answers and failures each snapshot has valid endpoints, one for each address, and no secret", async () => {
  const step = fc.record({ body: fc.oneof(list, fc.constant(undefined)), index: fc.nat(20), waitMs: fc.nat(3_000) });
  const run = async (steps: readonly { body: unknown; index: number; waitMs: number }[], limit: number | undefined) => {
    const clock = new ManualClock();
    const store = new SnapshotStore("consul service s", clock);
    const ending = new AbortController();
    const queue = [...steps];
    const exchange = { what: "read service s", needs: "service:read", agent: "a:1", secrets: ["hunter2"] };
    const client = {
      agent: "a:1",
      describe: () => exchange,
      invalidateCredentials() {},
      async request(_: ConsulRequest): Promise<ConsulAnswer> {
        const next = queue.shift();
        if (!next) {
          ending.abort();
          throw new Error("the end");
        }
        clock.advance(next.waitMs);
        if (next.body === undefined) throw describe("unavailable", exchange, "token hunter2 is not good");
        return { headers: { "x-consul-index": String(next.index) }, text: JSON.stringify(next.body), hasToken: true };
      },
    } satisfies Partial<ConsulClient>;
    store.subscribe(({ endpoints = [], error }) => {
      for (const each of endpoints) assertValidEndpoint(each);
      const addresses = endpoints.flatMap((each) => each.addresses.map(({ host, port }) => `${host} ${port}`));
      assert.equal(new Set(addresses).size, addresses.length, "each address once");
      assert.ok(endpoints.length <= (limit ?? Number.POSITIVE_INFINITY), "the limit");
      assert.ok(endpoints.some(({ weight }) => weight > 0) ? endpoints.every(({ weight }) => weight > 0) : true);
      assert.ok(!error?.message.includes("hunter2"), error?.message);
    });
    const timing = { waitMs: 1_000, answerTimeoutMs: 1_000, missingGraceMs: 2_000, clock, random: createRandom(1) };
    const watch = new HealthWatch(
      { client: client as unknown as ConsulClient, service: "s", path: "/", keepsOrder: false, limit, ...timing },
      store,
      ending.signal,
    );
    const ended = watch.run();
    for (let isEnded = false; !isEnded; ) {
      clock.advance(5_000);
      isEnded = await Promise.race([
        ended.then(() => true),
        new Promise<false>((resolve) => setImmediate(resolve, false)),
      ]);
    }
    assert.deepEqual([clock.sleeping, queue.length], [0, 0]);
  };
  await assertBounded(
    fc.asyncProperty(
      fc.array(step, { maxLength: 8 }),
      fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
      run,
    ),
    300,
  );
});

const valid = fc.constantFrom(
  "consul://c:8500/server?tag=v1&tag=v2&near=_agent&dc=eu&ns=team&partition=p&wait=30s&limit=5&healthy=false&allow-stale",
  "consul://[::1]/web%20shop?ttl=5s&tag=v1&check=grpc&ns=team&partition=p",
);

test("any target that is accepted makes a source or a registration, and any other is refused", () => {
  assertBounded(
    fc.property(
      fc.oneof(
        mutated(valid),
        anyText().map((text) => `consul://c/${text}`),
      ),
      (text) => {
        try {
          const { t: _, ...target } = parseTarget(text, "consul");
          const { key } = defineConsulSource({ ...target, credentials: {} });
          assert.match(JSON.parse(key.slice("consul ".length))[1], /^\/v1\/health\/service\/[^/?#\s]+(\?[^?#\s]*)?$/);
        } catch (error) {
          assert.ok(error instanceof RangeError, String(error));
        }
        try {
          const target = parseRegistrationTarget(text);
          if (target.t !== "consul") return;
          const address = { host: "10.0.0.1", port: 80 };
          const { ID } = defineService({ service: target.service, address }, { tags: target.tags });
          assert.ok(encodeURIComponent(ID) !== "");
        } catch (error) {
          assert.ok(error instanceof RangeError, String(error));
        }
      },
    ),
    5_000,
  );
});
