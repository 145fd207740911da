import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "@grpc-lb/core/testing";
import { Board } from "./board.ts";

function createBoard() {
  const clock = new ManualClock();
  const board = new Board(clock);
  board.take({ t: "hello", title: "Lab", actions: [] });
  board.take({ t: "client", name: "grpc", way: "gRPC", why: "Because.", rule: "round_robin" });
  for (const pod of ["a", "b"]) board.take({ t: "pod", pod, state: "ready", node: "", zone: "" });
  const say = (line: string) => board.take({ t: "line", client: "grpc", line });
  const texts = () => board.snapshot().happenings.map(({ kind, text }) => `${kind}: ${text}`);
  return { clock, board, say, texts };
}

test("calls are handed over once, with client, pod and connection", () => {
  const { board, say } = createBoard();
  say('{"event":"connection-opened","connection":1,"peer":"x:1"}');
  say('{"event":"call","ms":3,"pod":"a","connection":1}');
  say('{"event":"call","ms":5,"error":"late","connection":1}');
  const rest = { client: 0, connection: 1, atMs: 0 };
  assert.deepEqual(board.takeCalls(), [
    { ...rest, pod: "a", ms: 3 },
    { ...rest, pod: null, ms: 5 },
  ]);
  assert.deepEqual(board.takeCalls(), []);
  const [client] = board.snapshot().clients;
  assert.deepEqual([client?.calls, client?.failed, client?.lastError], [1, 1, "late"]);
  assert.deepEqual(client?.connections?.open[0]?.pods, ["A"]);
});

test("a client without events has no connections", () => {
  const { board, say } = createBoard();
  say("#1: a");
  assert.equal(board.snapshot().clients[0]?.connections, null);
});

test("the verdict follows the rule, and starts anew when a pod comes or goes, not when one is slow", () => {
  const { clock, board, say } = createBoard();
  const callBoth = (count: number) => {
    for (let n = 0; n < count; n++) say(`#1: ${n % 2 ? "a" : "b"}`);
  };
  const verdict = () => board.snapshot().clients[0]?.verdict;
  callBoth(1);
  clock.advance(2_000);
  callBoth(10);
  assert.equal(verdict()?.word, "BALANCED");
  board.take({ t: "pod", pod: "a", state: "slow", node: "", zone: "" });
  assert.equal(verdict()?.word, "BALANCED");
  board.take({ t: "pod", pod: "c", state: "ready", node: "", zone: "" });
  assert.deepEqual([verdict()?.word, verdict()?.calls, verdict()?.needed], [null, 0, 15]);
});

test("the timeline has pods, connections, GOAWAY, scenes and notes, and an equal state only once", () => {
  const { board, say, texts } = createBoard();
  board.take({ t: "pod", pod: "a", state: "ready", node: "", zone: "" });
  board.take({ t: "scene", text: "kill" });
  board.take({ t: "note", text: "server-4 starts" });
  board.take({ t: "note", text: "" });
  say('{"event":"connection-opened","connection":1,"peer":"x:1"}');
  say('{"event":"call","ms":3,"pod":"a","connection":1}');
  say('{"event":"goaway","connection":1}');
  say('{"event":"connection-closed","connection":1}');
  assert.deepEqual(texts(), [
    ...["pod: A a is ready", "pod: B b is ready", "scene: kill", "note: server-4 starts"],
    ...["connection: grpc opens connection 1 to x:1", "goaway: grpc gets GOAWAY on connection 1"],
    "connection: grpc: connection 1 is closed after 1 call",
  ]);
  assert.equal(board.snapshot().note, "");
});

test("connections that carry one call each are not in the timeline one by one", () => {
  const { say, texts } = createBoard();
  for (let number = 1; number <= 50; number++) {
    say(`{"event":"connection-opened","connection":${number},"peer":"x:1"}`);
    say(`{"event":"call","ms":3,"pod":"a","connection":${number}}`);
    say(`{"event":"connection-closed","connection":${number}}`);
  }
  assert.deepEqual(texts().filter((text) => text.startsWith("connection")).length, 1);
});

test("the chart has a point a second, of two minutes at most", () => {
  const { clock, board, say } = createBoard();
  for (let second = 1; second <= 130; second++) {
    clock.advance(500);
    say("#1: a");
    clock.advance(500);
    assert.deepEqual(board.addPoint(), { atS: second, callsPerSecond: [1] });
  }
  assert.deepEqual([board.history.length, board.history[0]?.atS], [120, 11]);
});

test("what nobody takes stays bounded", () => {
  const { board, say } = createBoard();
  for (let n = 0; n < 5_000; n++) say("#1: a");
  for (let n = 0; n < 500; n++) board.take({ t: "scene", text: String(n) });
  assert.equal(board.takeCalls().length, 2_000);
  const { happenings } = board.snapshot();
  assert.deepEqual([happenings.length, happenings.at(-1)?.text], [60, "499"]);
});

test("a line of an unknown client is an error", () => {
  const { board } = createBoard();
  assert.throws(() => board.take({ t: "line", client: "x", line: "#1: a" }), { message: "no client is named x" });
});
