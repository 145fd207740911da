import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeEndpoint } from "../../testing/fake-sources.ts";
import { type SourceEndpoints, type SourceState, selectSources } from "./select-sources.ts";

/** A source by a short text: its target, its priority, and `?` if it has not answered, `!` if it is overdue, `0` if it is empty. */
function source(text: string): SourceState {
  const [target = "", priority = "", state] = text;
  const endpoints = state === "?" || state === "!" ? undefined : state === "0" ? [] : [fakeEndpoint("10.0.0.1")];
  return { target, priority: Number(priority), endpoints, isOverdue: state === "!" };
}

const cases: readonly (readonly [
  why: string,
  sources: string,
  before: string | undefined,
  want: string | undefined,
])[] = [
  ["all have answered", "a0 b1", undefined, "a0 b1"],
  ["all have answered that there is nothing", "a00 b10", undefined, "a0 b1"],
  ["one may still answer", "a0 b1?", undefined, undefined],
  ["another priority is overdue", "a0 b1!", undefined, "a0"],
  ["the first priority is overdue", "a0! b1 c2", undefined, "b1 c2"],
  ["one is overdue, another may still answer", "a0 b1! c2?", undefined, undefined],
  ["a part of a priority is overdue", "a0 b0! c1", undefined, "c1"],
  ["the only priority is overdue in part", "a0 b0!", undefined, undefined],
  ["what is known is empty, and another priority is overdue", "a00 b1!", undefined, undefined],
  ["what was served has become empty", "a00 b1!", "a0", "a0"],
  ["an added source has not answered", "a0 c0?", "a0 b0", "a0 b0"],
  ["an added priority is not a part", "a0 c1 d1?", "a0", "a0"],
  ["another source takes the place", "c0?", "a0", "a0"],
  ["another source does not answer", "c0!", "a0", "a0"],
  ["the first priority has been replaced, and its backup may still answer", "c0 d1?", "a0 b1", "c0 a0 b1"],
  ["the first priority has been replaced, and its backup is overdue", "c0 d1!", "a0 b1", "c0 b1"],
  ["a priority that left has an heir that has answered", "c1 d2!", "a0", "c1"],
  ["a source moves to another priority", "a1 c0?", "a0", "a1"],
];

for (const [why, sources, before, want] of cases) {
  test(`sources that are served: ${why}`, () => {
    const read = (text: string) => text.split(" ").map(source);
    const got = selectSources(read(sources), before === undefined ? undefined : (read(before) as SourceEndpoints[]));
    assert.equal(got?.map(({ target, priority }) => `${target}${priority}`).join(" "), want);
  });
}
