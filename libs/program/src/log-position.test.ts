import assert from "node:assert/strict";
import { test } from "node:test";
import { LogPosition, parseStampedLine } from "./log-position.ts";

test("a reader that reconnects continues from its last line and drops what it has read", () => {
  const position = new LogPosition();
  assert.equal(position.since, "");
  assert.equal(position.take("2026-11-21T09:00:01.5Z #1: a"), "#1: a");
  assert.equal(position.take("2026-11-21T09:00:01.500000001Z #2: b"), "#2: b");
  assert.equal(position.since, "2026-11-21T09:00:01.500000001Z");
  assert.equal(position.take("2026-11-21T09:00:01.500000000Z #1: a"), null);
  assert.equal(position.take("2026-11-21T09:00:01.500000001Z #2: b"), null);
  assert.equal(position.take("2026-11-21T09:00:02Z #3: c"), "#3: c");
});

test("an empty line is a line, and a line without a time is returned unchanged", () => {
  const position = new LogPosition();
  assert.equal(position.take("2026-11-21T09:00:01Z "), "");
  assert.equal(position.take("failed to read"), "failed to read");
});

test("the times of a node whose zone is not UTC are read too, also while its offset changes", () => {
  assert.deepEqual(parseStampedLine("2026-10-25T02:59:59.25+02:00 #1: a"), {
    time: "2026-10-25T00:59:59.250000000Z",
    atMs: Date.UTC(2026, 9, 25, 0, 59, 59, 250),
    text: "#1: a",
  });
  const position = new LogPosition();
  assert.equal(position.take("2026-10-25T02:59:59.25+02:00 #1: a"), "#1: a");
  assert.equal(position.take("2026-10-25T02:00:00.25+01:00 #2: b"), "#2: b");
  assert.equal(position.take("2026-10-25T02:59:59.25+02:00 #1: a"), null);
  assert.equal(position.since, "2026-10-25T01:00:00.250000000Z");
});

for (const stamped of ["#1: a", "2026-10-25 02:59:59 #1: a", "2026-99-25T02:59:59Z #1: a", "Z #1: a", ""]) {
  test(`"${stamped}" has no time`, () => assert.equal(parseStampedLine(stamped), undefined));
}
