import assert from "node:assert/strict";
import { test } from "node:test";
import { lastCalls, settleMs } from "./call-window.ts";

const startMs = Date.UTC(2026, 0, 1);
/** A log with a line each second. */
const logOf = (...texts: readonly string[]) =>
  texts
    .map((text, second) => `${new Date(startMs + second * 1_000).toISOString().replace("Z", "123456Z")} ${text}\n`)
    .join("");
const settling = Array.from({ length: settleMs / 1_000 }, (_, i) => `#${i + 1}: a`);
const ready = (name: string, atMs = startMs - 60_000) => ({ name, readyAtMs: atMs });

test("calls from the time when the client's connections were opening do not count", () => {
  const log = logOf("Policy: round_robin {}", ...settling, "#6: b", "#7: a");
  assert.deepEqual(lastCalls(log, [ready("a"), ready("b")], 10), { calls: ["b", "a"], errors: [] });
});

test("calls from before the youngest pod was ready do not count", () => {
  const log = logOf(...settling, "#6: a", "#7: a", "#8: a", "#9: b");
  const youngest = ready("b", startMs + 3_000);
  assert.deepEqual(lastCalls(log, [ready("a"), youngest], 10).calls, ["b"]);
});

test("calls from before the last call to a pod that is gone do not count", () => {
  const log = logOf(...settling, "#6: a", "#7: gone", "#8: b", "#9: a");
  assert.deepEqual(lastCalls(log, [ready("a"), ready("b")], 10).calls, ["b", "a"]);
});

test("of more calls than the limit the last count, with the errors between them", () => {
  const log = logOf(...settling, "Error: early", "#6: a", "#7: a", "Error: 14 UNAVAILABLE: x", "#8: b");
  const errors = ["14 UNAVAILABLE: x"];
  assert.deepEqual(lastCalls(log, [ready("a"), ready("b")], 2), { calls: ["a", "b"], errors });
});

test("errors count also when no call succeeded; other lines and lines without a time do not", () => {
  const log = `${logOf(...settling.map(() => "Error: first"), "Error: late", "Warning: x")}rpc error: reason = gone\n`;
  assert.deepEqual(lastCalls(log, [ready("a"), ready("b")], 10), { calls: [], errors: ["late"] });
});

test("a line that was cut is no call to a pod that is gone", () => {
  const log = logOf(...settling, "#6: server-b", "#7: server-a", "#8: server-b").slice(0, -2);
  assert.ok(log.endsWith("#8: server-"));
  const servers = [ready("a"), ready("server-a"), ready("server-b")];
  assert.deepEqual(lastCalls(log, servers, 10).calls, ["server-b", "server-a"]);
  assert.deepEqual(lastCalls(`${log}a`, servers, 10).calls, ["server-b", "server-a", "server-a"]);
});

test("the calls of a client on a node whose time zone is not UTC count", () => {
  const log = logOf(...settling, "#6: b", "#7: a").replaceAll("Z ", "+00:00 ");
  assert.deepEqual(lastCalls(log, [ready("a"), ready("b")], 10).calls, ["b", "a"]);
});
