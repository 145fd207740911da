import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "@grpc-lb/core/testing";
import { Node } from "@grpc-lb/protos/envoy/config/core/v3";
import { logClients, logRefusals } from "./client-log.ts";

test("what a client sends takes a bounded part of a line", () => {
  const lines: string[] = [];
  const write = (fields: object, message: string) => void lines.push(JSON.stringify({ ...fields, message }));
  const { onConnected, onRejected } = logClients({ info: write, warn: write });
  const long = "x".repeat(3_000_000);
  const node = Node.fromPartial({ id: long, userAgentName: long });
  const client = { id: 1, node, group: "grpc", peer: "10.0.0.1:1", protocol: "delta", connectedMs: 0 } as const;
  onConnected?.(client);
  onRejected?.({ client, typeUrl: `a.${long}`, names: Array(10_000).fill(long), message: "not valid" });
  for (const line of lines) assert.ok(line.length < 2_000, `${line.length} characters`);
  assert.match(lines[0] ?? "", /"group":"grpc","userAgent":"x+/);
  assert.match(lines[1] ?? "", /"ofNames":10000.*"reason":"not valid"/);
});

test("of each client's address one refused stream a minute is a line, whatever the port and the reason", () => {
  const clock = new ManualClock();
  const lines: object[] = [];
  const onRefused = logRefusals({ warn: (fields, message) => lines.push({ ...fields, message }) }, clock);
  for (const port of [1, 2, 3]) onRefused("too many", `10.0.0.1:${port}`);
  onRefused("x".repeat(3_000_000), "[fd00::7]:1");
  assert.deepEqual(lines[0], { reason: "too many", peer: "10.0.0.1:1", message: "stream refused" });
  assert.deepEqual([lines.length, JSON.stringify(lines[1]).length < 500], [2, true]);
  clock.advance(60_000);
  onRefused("too many", "10.0.0.1:4");
  assert.equal(lines.length, 3);
});
