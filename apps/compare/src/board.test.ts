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

test("the verdict follows the rule, and restarts when a pod comes or goes, not when one is slow", () => {
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

for (const state of ["frozen", "draining", "unready", "gone"] as const) {
  test(`a client that calls the other pods in turn is balanced while a pod is ${state}`, () => {
    const { clock, board, say } = createBoard();
    board.take({ t: "pod", pod: "c", state: "ready", node: "", zone: "" });
    board.take({ t: "endpoints", pods: ["a", "b", "c"] });
    const call = (pods: string) => [...pods.repeat(20)].forEach((pod) => void say(`#1: ${pod}`));
    const verdict = () => board.snapshot().clients[0]?.verdict.word;
    call("abc");
    clock.advance(2_000);
    call("abc");
    assert.equal(verdict(), "BALANCED");
    board.take({ t: "pod", pod: "c", state, node: "", zone: "" });
    call("ab");
    assert.equal(verdict(), null, "calls on their way to the pod end within two seconds");
    clock.advance(2_000);
    call("ab");
    assert.equal(verdict(), "BALANCED");
    board.take({ t: "endpoints", pods: ["a", "b"] });
    assert.equal(verdict(), "BALANCED", "the endpoints follow the pod's state");
  });
}

test("a pod that is ready and no endpoint is not judged, and one that is an endpoint again is", () => {
  const { clock, board, say } = createBoard();
  const words = () => board.snapshot().clients[0]?.verdict.word;
  board.take({ t: "pod", pod: "c", state: "ready", node: "", zone: "" });
  for (const [endpoints, word] of [
    ["ab", "BALANCED"],
    ["abc", "SKEWED"],
  ] as const) {
    board.take({ t: "endpoints", pods: [...endpoints] });
    say("#1: a");
    clock.advance(2_000);
    for (const pod of "ab".repeat(20)) say(`#1: ${pod}`);
    assert.equal(words(), word, endpoints);
  }
});

test("a pod may have the name of a property of objects", () => {
  const { clock, board, say } = createBoard();
  say("#1: a");
  clock.advance(2_000);
  for (const pod of ["constructor", "a", "b", "__proto__"]) say(`#1: ${pod}`);
  clock.advance(2_000);
  for (let n = 0; n < 5; n++) for (const pod of ["constructor", "a", "b", "__proto__"]) say(`#1: ${pod}`);
  const { pods, clients } = board.snapshot();
  assert.deepEqual(
    pods.map(({ name, letter }) => [letter, name]),
    [
      ["A", "a"],
      ["B", "b"],
      ["C", "constructor"],
      ["D", "__proto__"],
    ],
  );
  assert.deepEqual(clients[0]?.verdict.perLetter, { A: 5, B: 5, C: 5, D: 5 });
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

test("with everything at its limit a page is sent far less than what cuts it off", () => {
  const { board } = createBoard();
  const long = "x".repeat(10_000);
  for (let n = 0; n < 40; n++) {
    const client = { t: "client", name: `${n}${long}`, way: long, why: long, rule: "random" } as const;
    if (n < 29) board.take(client);
    else assert.throws(() => board.take(client), { message: "more than 30 clients" });
  }
  for (const { name } of board.snapshot().clients) {
    const say = (line: string) => board.take({ t: "line", client: name, line });
    for (let connection = 1; connection <= 100; connection++)
      say(JSON.stringify({ event: "connection-opened", connection, peer: `${connection}${long}` }));
    for (let n = 0; n < 250; n++) say(JSON.stringify({ event: "call", ms: 1, pod: `${n}${long}`, connection: n }));
    say(JSON.stringify({ event: "call", ms: 1, error: long }));
  }
  for (let n = 0; n < 300; n++) {
    board.take({ t: "pod", pod: `${n}${long}`, state: "ready", node: long, zone: long });
    board.take({ t: "note", text: `${n}${long}` });
  }
  board.take({ t: "endpoints", pods: Array.from({ length: 5_000 }, (_, n) => `${n}${long.slice(0, 1_000)}`) });
  const state = board.snapshot();
  assert.deepEqual([state.pods.length, state.clients.length], [200, 30]);
  assert.equal(state.clients[29]?.connections?.open.length, 60);
  const bytes = JSON.stringify(state).length;
  assert.ok(bytes < 800_000, `${bytes} bytes`);
});

test("a line of an unknown client is an error", () => {
  const { board } = createBoard();
  assert.throws(() => board.take({ t: "line", client: "x", line: "#1: a" }), { message: "no client is named x" });
});
