import assert from "node:assert/strict";
import { test } from "node:test";
import { runToEnd } from "../testing/index.ts";
import { createLogger, type LoggerSettings, logLevels } from "./log.ts";

function logTo(level: (typeof logLevels)[number], settings: Omit<LoggerSettings, "stream"> = {}) {
  const lines: string[] = [];
  const stream = { write: (line: string) => void lines.push(line) };
  const log = createLogger("sample", level, { ...settings, stream });
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

test("ECS: the schema's fields, those of the entry below grpc_lb, and the trace it belongs to", () => {
  const { log, lines } = logTo("info", { format: "ecs" });
  log.warn({ port: 80, err: new TypeError("a bug"), traceId: "t", spanId: "s" }, "taken");
  const { "@timestamp": time, "error.stack_trace": stack, ...rest } = JSON.parse(lines[0] ?? "");
  assert.match(time, /^\d{4}-.*Z$/);
  assert.match(stack, /log\.test\.ts/);
  assert.deepEqual(rest, {
    "log.level": "warn",
    "ecs.version": "8.11.0",
    "service.name": "sample",
    "trace.id": "t",
    "span.id": "s",
    "error.type": "TypeError",
    "error.message": "a bug",
    grpc_lb: { port: 80 },
    message: "taken",
  });
});

test("pretty: a line with time, level, message and fields, and the stack of an error below it", () => {
  const { log, lines } = logTo("info", { format: "pretty" });
  log.info({ port: 80, pod: { name: "a\nb" } }, "serving");
  assert.match(lines[0] ?? "", /^\d\d:\d\d:\d\d\.\d{3} INFO serving port=80 pod=\{"name":"a\\nb"\}\n$/);
  log.error({ err: new Error("a bug") }, "failed");
  assert.match(lines[1] ?? "", /^\S+ ERROR failed\nError: a bug\n {4}at .*log\.test\.ts/);
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
