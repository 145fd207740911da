import assert from "node:assert/strict";
import { test } from "node:test";
import { Node } from "@grpc-lb/protos/envoy/config/core/v3";
import { logClients } from "./client-log.ts";

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
