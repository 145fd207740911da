import assert from "node:assert/strict";
import { test } from "node:test";
import { runToEnd } from "../testing/index.ts";
import { createLogger, logLevels } from "./log.ts";

function logTo(level: (typeof logLevels)[number]) {
  const lines: string[] = [];
  const log = createLogger("sample", level, { write: (line: string) => void lines.push(line) });
  return { log, lines };
}

test("an entry is one JSON object in one line: level as a word, ISO time, app, fields, message", () => {
  const { log, lines } = logTo("info");
  const before = Date.now();
  log.warn({ port: 80, text: "two\nlines" }, "taken");
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? "", /^\{[^\n]*\}\n$/);
  const { time, ...rest } = JSON.parse(lines[0] ?? "");
  assert.deepEqual(rest, { level: "warn", app: "sample", port: 80, text: "two\nlines", msg: "taken" });
  assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  const age = Date.parse(time) - before;
  assert.ok(age >= 0 && age < 60_000, `want the time of the entry, got ${time}`);
});

test("an error is logged with its message and stack", () => {
  const { log, lines } = logTo("info");
  log.error({ err: new TypeError("a bug") }, "failed");
  const { err } = JSON.parse(lines[0] ?? "");
  assert.deepEqual([err.type, err.message], ["TypeError", "a bug"]);
  assert.match(err.stack, /log\.test\.ts/);
});

test("nothing is logged below the level, and silent logs nothing", () => {
  const all = ["trace", "debug", "info", "warn", "error"] as const;
  for (const level of logLevels) {
    const { log, lines } = logTo(level);
    for (const each of all) log[each]("written");
    const want = level === "silent" ? [] : all.slice(all.indexOf(level));
    assert.deepEqual(
      lines.map((line) => JSON.parse(line).level),
      want,
      level,
    );
  }
});

test("the last entry before an exit is on stdout", async () => {
  const { code, stdout } = await runToEnd(`${import.meta.dirname}/../testing/sample-program.ts`, ["--do", "log"]);
  assert.deepEqual([code, stdout.length], [0, 1]);
  const { level, port, msg } = JSON.parse(stdout[0] ?? "{}");
  assert.deepEqual([level, port, msg], ["info", 80, "written"]);
});
