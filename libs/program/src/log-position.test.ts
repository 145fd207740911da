import assert from "node:assert/strict";
import { test } from "node:test";
import { LogPosition } from "./log-position.ts";

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
