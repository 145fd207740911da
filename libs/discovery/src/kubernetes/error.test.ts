import assert from "node:assert/strict";
import { test } from "node:test";
import type { HttpAnswer } from "@grpc-lb/core/http";
import { describeRefusal, describeStatus } from "./error.ts";
import { readStatus } from "./reader.ts";

const nowMs = Date.parse("2030-01-01T00:00:00Z");
const refused = (headers: Record<string, string>, text = "") => {
  const beginning = async (length: number) => text.slice(0, length);
  return describeRefusal({ status: 503, phrase: "Service Unavailable", headers, beginning } as HttpAnswer, "list x");
};

for (const [value, want] of [
  ["7", 7_000],
  ["0", 0],
  ["60", 60_000],
  ["61", 60_000],
  ["86400", 60_000],
  ["Tue, 01 Jan 2030 00:00:09 GMT", 9_000],
  ["Tue, 01 Jan 2030 01:00:00 GMT", 60_000],
  ["Mon, 31 Dec 2029 23:59:59 GMT", 0],
  ["soon", undefined],
] as const) {
  test(`Retry-After: ${value} is a wait of ${want} ms`, async (t) => {
    t.mock.timers.enable({ apis: ["Date"], now: nowMs });
    assert.equal((await refused({ "retry-after": value })).retryAfterMs, want);
  });
}

for (const [details, want] of [
  [{ retryAfterSeconds: 7 }, 7_000],
  [{ retryAfterSeconds: 86_400 }, 60_000],
  [{ retryAfterSeconds: 0 }, undefined],
  [{}, undefined],
  [undefined, undefined],
] as const) {
  test(`a Status in a watch with details ${JSON.stringify(details)} is a wait of ${want} ms`, () => {
    const status = readStatus({ code: 429, message: "too many", ...(details && { details }) });
    assert.equal(describeStatus(status, "watch x").retryAfterMs, want);
  });
}

test("a proxy's page is quoted in one line of 200 characters", async () => {
  const { message } = await refused({}, `<html>\n  <h1>Bad</h1>${"x".repeat(500)}`);
  assert.match(message, /^kubernetes: list x: 503 Service Unavailable: <html> <h1>Bad<\/h1>x+$/);
  assert.ok(message.length < 260, `${message.length} characters`);
});
