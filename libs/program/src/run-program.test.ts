import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { runToEnd, startProgram } from "../testing/index.ts";

const sample = `${import.meta.dirname}/../testing/sample-program.ts`;

// Ends after two seconds, while the other tests run.
const leaking = runToEnd(sample, ["--do", "forget"]);

after(assertNothingLeft);

test("the exit code is what the body returns, and 0 when it returns nothing", async () => {
  assert.deepEqual(await runToEnd(sample, []), { code: 0, signal: null, stdout: [], stderr: [] });
  assert.equal((await runToEnd(sample, ["--do", "return-3"])).code, 3);
});

test("a wrong flag or variable exits 2 with one line on stderr", async () => {
  const flag = await runToEnd(sample, ["--nothing"]);
  const stderr = ["sample: unknown option '--nothing'; --help lists the flags"];
  assert.deepEqual(flag, { code: 2, signal: null, stdout: [], stderr });
  const variable = await runToEnd(sample, [], { DO: "x" });
  assert.deepEqual([variable.code, variable.stderr.length], [2, 1]);
  assert.match(variable.stderr[0] ?? "", /^sample: DO must be one of return, .*, got "x"$/);
});

test("--help exits 0 and writes to stdout", async () => {
  const { code, stdout, stderr } = await runToEnd(sample, ["--help"], { DO: "nonsense" });
  assert.deepEqual([code, stdout[0], stderr], [0, "Usage: sample [options]", []]);
});

test("a ProgramError exits with its code and one line, without a stack", async () => {
  const stderr = ["sample: the port is taken"];
  assert.deepEqual(await runToEnd(sample, ["--do", "refuse"]), { code: 2, signal: null, stdout: [], stderr });
});

test("any other error exits 1 with its stack: it is a bug", async () => {
  const { code, stderr } = await runToEnd(sample, ["--do", "crash"]);
  assert.equal(code, 1);
  assert.match(stderr.join("\n"), /TypeError: a bug\n\s+at /);
});

test("SIGTERM and SIGINT abort the signal, and the program exits 0", async () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const program = startProgram(sample, ["--do", "wait"]);
    await program.line((line) => line === "waiting");
    program.kill(signal);
    assert.deepEqual(await program.exited, { code: 0, signal: null }, signal);
    assert.deepEqual(program.stdout, ["waiting", "aborted"], signal);
  }
});

test("a second signal exits at once with the shell's code for it", async () => {
  for (const [signal, code] of [
    ["SIGTERM", 143],
    ["SIGINT", 130],
  ] as const) {
    const program = startProgram(sample, ["--do", "never-end"]);
    await program.line((line) => line === "waiting");
    program.kill("SIGTERM");
    await program.line((line) => line === "aborted");
    program.kill(signal);
    assert.deepEqual(await program.exited, { code, signal: null }, signal);
  }
});

test("a Ctrl-C that npm forwards, and that so arrives twice, counts once", async () => {
  const program = startProgram(sample, ["--do", "wait"]);
  await program.line((line) => line === "waiting");
  program.kill("SIGINT");
  program.kill("SIGINT");
  assert.deepEqual(await program.exited, { code: 0, signal: null });
});

/** Runs the sample with both outputs as pipes whose reader goes away after `lines` lines of `name`, as `head` does. */
async function runWithReader(args: readonly string[], name: "stdout" | "stderr", lines: number) {
  const child = spawn(process.execPath, [sample, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const other = child[name === "stdout" ? "stderr" : "stdout"];
  let written = "";
  other.setEncoding("utf8").on("data", (text: string) => {
    written += text;
  });
  const exited = once(child, "close");
  if (lines > 0) {
    const reader = createInterface({ input: child[name] });
    await once(reader, "line");
    reader.close();
  }
  child[name].destroy();
  const [code, signal] = await exited;
  return { code, signal, written };
}

test("a reader of stdout or stderr that goes away ends the program quietly", async () => {
  const quiet = { code: 0, signal: null, written: "" };
  assert.deepEqual(await runWithReader(["--do", "write"], "stdout", 1), quiet, "| head -1");
  assert.deepEqual(await runWithReader(["--do", "write-errors"], "stderr", 1), quiet, "2>&1 | head -1");
  assert.deepEqual(await runWithReader(["--help"], "stdout", 0), quiet, "--help | true");
  assert.deepEqual(await runWithReader(["--nothing"], "stderr", 0), { ...quiet, code: 2 }, "--nothing 2>&1 | true");
});

test("a handle that is left open does not keep the program alive or change its exit code", async () => {
  const { code, stdout } = await leaking;
  assert.deepEqual([code, stdout], [4, ["returned"]]);
});
