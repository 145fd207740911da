import assert from "node:assert/strict";
import { test } from "node:test";
import { parseInput } from "./input.ts";

const action = { name: "kill", label: "Kill", key: "k", help: "Kills a pod" };

for (const input of [
  { t: "hello", title: "Lab", actions: [action] },
  { t: "client", name: "clusterip", way: "gRPC", why: "Because.", rule: "random" },
  { t: "line", client: "clusterip", line: "#1: a" },
  { t: "pod", pod: "a", state: "ready", node: "n1", zone: "z1" },
  { t: "endpoints", pods: ["a", "b"] },
  { t: "scene", text: "kill" },
  { t: "note", text: "" },
]) {
  test(`a line of ${input.t} is taken, without what it does not know`, () => {
    assert.deepEqual(parseInput(JSON.stringify({ ...input, more: 1 })), input);
  });
}

test("a pod may have no place", () => {
  assert.deepEqual(parseInput('{"t":"pod","pod":"a","state":"gone"}'), {
    ...{ t: "pod", pod: "a", state: "gone", node: "", zone: "" },
  });
});

for (const [line, message] of [
  ["", /JSON/],
  ["[]", /^t must be/],
  ["null", /a JSON object/],
  ['{"t":"other"}', /^t must be hello, client, line, pod, endpoints, scene or note, got "other"$/],
  ['{"t":"line","client":"a"}', /^line must be a text$/],
  ['{"t":"pod","pod":"a","state":"dead"}', /^state must be one of added, ready/],
  ['{"t":"endpoints","pods":["a",1]}', /^pods must be a list of texts$/],
  ['{"t":"client","name":"a","way":"","why":"","rule":"any"}', /^rule must be one of round_robin, random$/],
  ['{"t":"hello","title":"a"}', /^actions must be a list/],
  ['{"t":"hello","title":"a","actions":[1]}', /^an action must be an object$/],
] as const) {
  test(`the line ${line || "without a text"} is refused with its reason`, () => {
    assert.throws(() => parseInput(line), { message });
  });
}
