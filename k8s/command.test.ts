import assert from "node:assert/strict";
import { test } from "node:test";
import { runCommand } from "./command.ts";

const shell = (script: string, options = {}) => runCommand("/bin/sh", ["-c", script], options);

test("a command's result has its output and its exit code", async () => {
  assert.deepEqual(await shell("cat; echo no >&2; exit 3", { input: "yes" }), {
    code: 3,
    stdout: "yes",
    stderr: "no\n",
  });
});

test("a command has this process's environment variables, and those that are given", async () => {
  const { stdout } = await shell('test -n "$PATH" && echo "$GIVEN path"', { env: { GIVEN: "yes" } });
  assert.equal(stdout, "yes path\n");
});

test("a missing command has the exit code 127, as in a shell", async () => {
  const { code, stderr } = await runCommand("/no/such/command", []);
  assert.deepEqual([code, stderr], [127, "spawn /no/such/command ENOENT"]);
});

test("the caller's signal ends the command, and the program continues", async () => {
  const { code } = await shell("exec sleep 60", { signal: AbortSignal.timeout(50) });
  assert.notEqual(code, 0);
});

test("a command that does not end within its limit is ended, and the result says so", async () => {
  const { code, stderr } = await shell("echo slow >&2; exec sleep 60", { limitMs: 300 });
  assert.equal(code, 124);
  assert.match(stderr, /^(slow\n)?no end within 0\.3 s$/);
});

for (const [reason, exitCode, message] of [
  ["SIGINT", 130, "interrupted while server was rolling out"],
  ["SIGTERM", 143, "interrupted while server was rolling out"],
  ["EPIPE", 141, "interrupted while server was rolling out: its output has no reader"],
] as const) {
  test(`${reason} ends the command and the program, and the error names what it interrupted`, async () => {
    const controller = new AbortController();
    const running = shell("exec sleep 60", { interruption: controller.signal, doing: "server was rolling out" });
    controller.abort(reason);
    await assert.rejects(running, { message, exitCode });
    await assert.rejects(shell("true", { interruption: controller.signal, doing: "x" }), { exitCode });
  });
}

test("a command that the terminal's Ctrl-C ended too counts as interrupted, not as failed", async () => {
  const controller = new AbortController();
  const running = shell("kill -INT $$", { interruption: controller.signal });
  controller.abort("SIGINT");
  await assert.rejects(running, { exitCode: 130 });
});
