import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "@grpc-lb/core/testing";
import { limitReports } from "./limit-reports.ts";

test("each reason is reported once a minute, whichever port it comes from", () => {
  const clock = new ManualClock();
  const lines: string[] = [];
  const onRefused = (reason: string, peer: string) => lines.push(`${reason}: ${peer}`);
  const [http, grpc] = [limitReports(clock, onRefused), limitReports(clock, onRefused)];
  http("expired", "10.0.0.1");
  grpc("expired", "10.0.0.1");
  grpc("no TLS", undefined);
  assert.deepEqual(lines, ["expired: 10.0.0.1", "no TLS: unknown"]);
  clock.advance(60_000);
  grpc("expired", "10.0.0.2");
  http("expired", "10.0.0.3");
  assert.deepEqual(lines.slice(2), ["expired: 10.0.0.2"]);
});

test("what a report is limited by may be the client; clients without number get no lines without number", () => {
  const clock = new ManualClock();
  const lines: string[] = [];
  const report = limitReports(
    clock,
    (reason, peer) => lines.push(`${reason}: ${peer}`),
    (_, peer) => peer,
  );
  report("too many", "10.0.0.1");
  report("too late", "10.0.0.1");
  report("too many", "10.0.0.2");
  assert.deepEqual(lines, ["too many: 10.0.0.1", "too many: 10.0.0.2"]);
  for (let n = 0; n < 2_000; n++) report("too many", `client ${n}`);
  assert.equal(lines.length, 1_000);
  clock.advance(60_000);
  report("too late", "10.0.0.1");
  assert.equal(lines.at(-1), "too late: 10.0.0.1");
});
