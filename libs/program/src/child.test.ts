import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { type ChildOptions, startChild } from "./child.ts";

/** Starts Node with a line of JavaScript. */
function start(code: string, options: Partial<ChildOptions> = {}) {
  const [out, err]: [string[], string[]] = [[], []];
  const ready = Promise.withResolvers<void>();
  const child = startChild({
    command: process.execPath,
    args: ["-e", code],
    env: {},
    onStdout(line) {
      out.push(line);
      ready.resolve();
    },
    onStderr: (line) => err.push(line),
    ...options,
  });
  return { ...child, out, err, firstLine: ready.promise };
}

const stay = "process.stdout.write('up\\n'); setInterval(() => {}, 1000);";

afterEach(assertNothingLeft);

test("output is delivered line by line, stdout apart from stderr, the last line also without a line end", async () => {
  const { exited, out, err } = start(
    "process.stdout.write('one\\r\\n\\ntw'); process.stdout.write('o\\nthree'); process.stderr.write('four')",
  );
  assert.deepEqual(await exited, { code: 0, signal: null });
  assert.deepEqual([out, err], [["one", "", "two", "three"], ["four"]]);
});

test("every line is delivered before the end is reported", async () => {
  const { exited, out } = start("process.stdout.write('0123456789\\n'.repeat(20_000))");
  await exited;
  assert.equal(out.length, 20_000);
});

test("the end is reported after the last line, also when a grandchild writes it later", async () => {
  const { exited, out } = start("", { command: "/bin/sh", args: ["-c", "(sleep 0.1; echo late) & echo early"] });
  assert.deepEqual(await exited, { code: 0, signal: null });
  assert.deepEqual(out, ["early", "late"]);
});

test("output that nobody reads does not block the child", async () => {
  const code = "process.stdout.write('0123456789\\n'.repeat(20_000)); process.stderr.write('x\\n'.repeat(100_000))";
  const child = startChild({ command: process.execPath, args: ["-e", code], env: {} });
  assert.deepEqual(await child.exited, { code: 0, signal: null });
});

test("lines are written to the stdin of a child that has one, and dropped for others and after its end", async () => {
  const { firstLine, exited, out, writeLine, kill } = start("process.stdin.pipe(process.stdout)", { hasStdin: true });
  writeLine("one");
  await firstLine;
  assert.deepEqual(out, ["one"]);
  kill("SIGKILL");
  await exited;
  writeLine("late");
  const deaf = start("");
  deaf.writeLine("one");
  assert.deepEqual(await deaf.exited, { code: 0, signal: null });
});

test("an exit code differs from an end by signal", async () => {
  assert.deepEqual(await start("process.exit(7)").exited, { code: 7, signal: null });
  const child = start(stay);
  child.kill("SIGKILL");
  assert.deepEqual(await child.exited, { code: null, signal: "SIGKILL" });
});

test("the child gets the given environment and folder, and nothing else", async () => {
  const code = "console.log(JSON.stringify(process.env), process.cwd())";
  const { exited, out } = start(code, { env: { GREETING: "hello" }, cwd: "/" });
  await exited;
  assert.deepEqual(out, ['{"GREETING":"hello"} /']);
});

test("a missing command rejects with its name, and so does stop", async () => {
  const child = startChild({ command: "/no/such/command", args: [], env: {} });
  await assert.rejects(child.exited, { code: "ENOENT", message: /\/no\/such\/command/ });
  await assert.rejects(child.stop(), { code: "ENOENT" });
  assert.equal(child.pid, undefined);
});

test("a child that cannot be started and that nobody awaits does not end this process", async () => {
  startChild({ command: "/no/such/command", args: [], env: {} });
  await new Promise((resolve) => setImmediate(resolve)); // node:test fails a test with an unhandled rejection
});

test("stop sends SIGTERM first, and the child exits in its own way", async () => {
  const child = start(`process.on('SIGTERM', () => { console.log('bye'); process.exit(3); }); ${stay}`);
  await child.firstLine;
  assert.deepEqual(await child.stop(60_000), { code: 3, signal: null });
  assert.deepEqual(child.out, ["up", "bye"]);
});

test("stop kills a child that ignores SIGTERM", async () => {
  const child = start(`process.on('SIGTERM', () => console.log('no')); ${stay}`);
  await child.firstLine;
  assert.deepEqual(await child.stop(200), { code: null, signal: "SIGKILL" });
  assert.deepEqual(child.out, ["up", "no"], "SIGTERM must come first");
});

test("stopping a child that has ended returns how it ended", async () => {
  const child = start("process.exit(5)");
  await child.exited;
  assert.deepEqual(await child.stop(), { code: 5, signal: null });
});
