import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { after, test } from "node:test";
import { systemClock } from "@grpc-lb/core";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import fc from "fast-check";
import { decodeQuestion, encodeAnswer } from "../../testing/dns/dns-message.ts";
import { assertValidEndpoint } from "../../testing/endpoint.ts";
import { anyText, assertBounded } from "../../testing/fuzz.ts";
import { addressesInHosts, candidatesOf, parseSearchRules } from "./local-files.ts";
import { NameLookup } from "./name-lookup.ts";
import { chooseRecords, toAddressEndpoints, toServiceEndpoints } from "./reader.ts";

after(assertNothingLeft);

const addresses = fc.record({
  A: fc.array(fc.ipV4(), { maxLength: 4 }),
  AAAA: fc.array(fc.ipV6(), { maxLength: 4 }),
});
const rule = fc.constantFrom("ipv4", "ipv6", "all");
const uint16 = fc.nat(65_535);
const record = fc.record({
  target: fc.oneof(anyText(20), fc.domain()),
  port: uint16,
  priority: uint16,
  weight: uint16,
});

test("any records are valid endpoints, whose weights add up to those of the records", () => {
  assertBounded(
    fc.property(fc.array(record, { maxLength: 5 }), addresses, rule, uint16, (records, found, family, port) => {
      const { used, refused } = chooseRecords(records);
      assert.ok(used.length + refused.length <= records.length);
      for (const each of used) {
        const endpoints = toServiceEndpoints(each, found, { hasWeights: true, rule: family });
        endpoints.forEach(assertValidEndpoint);
        const sum = endpoints.reduce((total, { weight }) => total + weight, 0);
        assert.ok(endpoints.length === 0 || Math.abs(sum - each.weight) < 1e-6);
      }
      toAddressEndpoints(found, Math.max(port, 1), family).forEach(assertValidEndpoint);
    }),
    3_000,
  );
});

test("any text of /etc/hosts and /etc/resolv.conf is read", () => {
  assertBounded(
    fc.property(anyText(200), fc.domain(), (text, name) => {
      addressesInHosts(text, name);
      const rules = parseSearchRules(`search ${text}\noptions ndots:${text}`);
      assert.ok(Number.isInteger(rules.ndots) && rules.ndots >= 0 && rules.ndots <= 15);
      assert.ok(candidatesOf(name, rules).includes(name));
    }),
    3_000,
  );
});

test("any bytes for an answer are endpoints or an error, and a lookup ends", async () => {
  const socket = createSocket("udp4").bind(0, "127.0.0.1");
  await once(socket, "listening");
  const answer = { t: "right" as "right" | "random", bytes: new Uint8Array(), at: 0 };
  socket.on("message", (message, { port }) => {
    const question = decodeQuestion(message);
    const records = question.type === "A" ? ["10.0.0.1", "10.0.0.2"] : [];
    const right = encodeAnswer(question, {
      ...{ id: question.id, code: "NOERROR", isTruncated: false, ttlSeconds: 5, records },
    });
    const at = answer.t === "right" ? 2 + (answer.at % Math.max(right.length - 2, 1)) : 2;
    // The id stays: c-ares drops any other answer.
    const wrong = Buffer.concat([right.subarray(0, at), answer.bytes, right.subarray(at + answer.bytes.length)]);
    socket.send(answer.t === "right" ? wrong : Buffer.concat([right.subarray(0, 2), answer.bytes]), port, "127.0.0.1");
  });
  const lookup = new NameLookup({
    ...{ name: "server.example.", port: 80, family: "ipv4", timeoutMs: 50, clock: systemClock },
    ...{ server: { host: "127.0.0.1", port: socket.address().port }, resolvConf: "/nowhere", hosts: "/nowhere" },
  });
  const { signal } = new AbortController();
  try {
    await assertBounded(
      fc.asyncProperty(
        fc.constantFrom("right" as const, "random" as const),
        fc.uint8Array({ minLength: 1, maxLength: 40 }),
        fc.nat(200),
        async (t, bytes, at) => {
          Object.assign(answer, { t, bytes, at });
          const found = await lookup.run(signal);
          if (found.t === "found") found.endpoints.forEach(assertValidEndpoint);
        },
      ),
      150,
    );
  } finally {
    socket.close();
  }
});
