import assert from "node:assert/strict";
import { test } from "node:test";
import { formatDuration, maxDurationMs, parseDuration } from "@grpc-lb/core";
import fc from "fast-check";
import { anyText, assertBounded, mutated } from "../../../testing/fuzz.ts";
import { parseTarget, targetSchemes } from "../../target.ts";
import { formatAddress, parseAddress } from "../address.ts";

const valid = fc.constantFrom(
  "kubernetes:///server.default:grpc",
  "kubernetes://default/server:80",
  "etcd://a:2379,[::1]/team/server?layout=kratos",
  "consul://c:8500/server?tag=v1&tag=v2&near=_agent&ns=team&partition=eu&wait=30s&limit=5&healthy=false&allow-stale",
  "dns-poll://10.0.0.1:53/server.example:80?refresh=5s&union=60s&family=ipv6",
  "static:///a:1,10.0.0.1:2,[::1]:3?weights=3,0,0.5",
  "file:///etc/endpoints.yaml",
);
const scheme = fc.constantFrom(...targetSchemes, "https", "CONSUL", "x");
const target = fc.oneof(
  anyText(),
  mutated(valid),
  fc.tuple(scheme, fc.constantFrom(":", ":/", "://", ":///"), anyText()).map((parts) => parts.join("")),
);

/** The message of the RangeError that a text is refused with; undefined when it is accepted. */
function refusal(text: string): string | undefined {
  try {
    parseTarget(text);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof RangeError, String(error));
    return error.message;
  }
}

test("any text is a target, or is refused in few words without control characters", () => {
  assertBounded(
    fc.property(target, (text) => {
      const message = refusal(text);
      if (message === undefined) return;
      assert.ok(message.length < 2_000, message);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these must not reach a terminal
      assert.ok(!/[\u0000-\u001f\u007f-\u009f\u2028-\u202e]/.test(message), JSON.stringify(message));
    }),
    20_000,
  );
});

test("what a target has of addresses is valid, and in its one spelling", () => {
  assertBounded(
    fc.property(target, (text) => {
      if (refusal(text) !== undefined) return;
      const parsed = parseTarget(text);
      const addresses = [
        ...(parsed.t === "static" ? parsed.endpoints.map(({ address }) => address) : []),
        ...(parsed.t === "etcd" ? parsed.members : []),
        ...(parsed.t === "consul" ? [parsed.agent] : []),
        ...(parsed.t === "dns-poll" && parsed.server ? [parsed.server] : []),
      ];
      for (const address of addresses) assert.deepEqual(parseAddress(formatAddress(address)), address);
    }),
    20_000,
  );
});

test("a password, the value of an unknown parameter and a token are never repeated, whatever stands around them", () => {
  const word = fc.string({ unit: fc.constantFrom(..."abz09-._~"), minLength: 1, maxLength: 8 });
  const before = fc.tuple(scheme, fc.constantFrom(":", "://", ":///"));
  const secrets: readonly ((secret: string, around: string) => string)[] = [
    (secret, around) => `${around}:${secret}@host/x`,
    (secret, around) => `${secret}@${around}`,
    (secret, around) => `${around}%3A${secret}%40host/x`,
    (secret, around) => `host/x/${around}?${around}x=${secret}`,
    (secret, around) => `host/x/${around}?x%3d${secret}&tag=a`,
    (secret, around) => `host/x/y;${around}x=${secret}#${around}`,
    (secret, around) => `host/x/y/${around}/0f1e2d3c4b5a69788796a5b4c3d2e1f0${secret.length}`,
  ];
  assertBounded(
    fc.property(before, fc.constantFrom(...secrets), word, anyText(10), ([name, slashes], build, around, noise) => {
      const secret = "hunter2-S3CRET";
      for (const text of [
        `${name}${slashes}${build(secret, around)}`,
        `${name}${slashes}${build(secret, around)}${noise}`,
      ]) {
        const message = refusal(text);
        if (message === undefined) continue;
        assert.ok(
          !message.includes(secret) && !message.includes("0f1e2d3c4b5a"),
          `${JSON.stringify(text)} -> ${message}`,
        );
      }
    }),
    20_000,
  );
});

test("any text is a duration of whole milliseconds, or is refused", () => {
  const near = fc.tuple(fc.double(), fc.constantFrom("ms", "s", "m", "h", "d", "")).map((parts) => parts.join(""));
  assertBounded(
    fc.property(fc.oneof(anyText(20), near, mutated(fc.constantFrom("300ms", "1.5s", "0", "24h"))), (text) => {
      let ms: number;
      try {
        ms = parseDuration(text);
      } catch (error) {
        assert.ok(error instanceof RangeError, String(error));
        return;
      }
      assert.ok(Number.isInteger(ms) && ms >= 0 && ms <= maxDurationMs, `${text} is ${ms}`);
    }),
    20_000,
  );
});

test("a duration that was formatted is parsed as the same", () => {
  assertBounded(
    fc.property(fc.nat(maxDurationMs), (ms) => assert.equal(parseDuration(formatDuration(ms)), ms)),
    20_000,
  );
});
