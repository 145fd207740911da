import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { type TestContext, test } from "node:test";
import type { Step } from "./exercise.ts";
import { Session } from "./session.ts";

const neverAborted = new AbortController().signal;

function openSession(t: TestContext, signal = neverAborted): Session {
  const session = new Session({ folder: tmpdir(), env: { PATH: process.env.PATH }, signal });
  t.after(() => session.end());
  return session;
}

function makeStep(command: string, text?: string, more: Partial<Step> = {}): Step {
  const output = text === undefined ? undefined : { line: 5, text };
  return { line: 1, command, output, exitCode: 0, deadlineMs: 20_000, isBackground: false, isRepeated: false, ...more };
}

for (const [behaviour, step, failure] of [
  ["the output is what the page shows", makeStep("echo 3 pods; echo done >&2", "7 pods\ndone"), undefined],
  ["without an output in the page, any is right", makeStep("echo 3"), undefined],
  ["an expected exit code is right", makeStep("exit 2", undefined, { exitCode: 2 }), undefined],
  ["another output is a failure", makeStep("echo three", "3"), 'expected "3", got "three"'],
  ["an output that stops early is a failure", makeStep("echo a", "a\nb"), 'expected "b", got no further line'],
  ["an output that goes on is a failure", makeStep("echo a; echo b", "a"), 'expected no further line, got "b"'],
  ["another exit code is a failure", makeStep("exit 3"), "the exit code must be 0, got 3"],
  ["the first command that fails ends the block", makeStep("false; true"), "the exit code must be 0, got 1"],
  [
    "a command that does not end is a failure",
    makeStep("echo a; read <&1", "a", { deadlineMs: 300 }),
    "it did not end within 0.3 s",
  ],
  [
    "a background command that ends before it has printed the page's output is a failure",
    makeStep("echo no", "yes", { isBackground: true }),
    'expected "yes", got "no"',
  ],
  [
    "a background command that a signal ends is a failure at once",
    makeStep("echo no; kill -KILL $$", "yes", { isBackground: true, deadlineMs: 24 * 60 * 60_000 }),
    'expected "yes", got "no"',
  ],
] as const) {
  test(behaviour, async (t) => {
    const session = openSession(t);
    assert.equal((await session.run(step)).failure, failure);
    assert.deepEqual(await session.end(), []);
  });
}

test("a background command goes on until the session ends, and then is gone", async (t) => {
  const session = openSession(t);
  const background = makeStep("echo $$; exec sleep 60", "123", { isBackground: true });
  const { output, failure } = await session.run(background);
  assert.equal(failure, undefined);
  const isAlive = makeStep(`kill -0 ${output.trim()}`);
  assert.equal((await session.run(isAlive)).failure, undefined);
  assert.deepEqual(await session.end(), []);
  assert.equal((await session.run(isAlive)).failure, "the exit code must be 0, got 1");
});

test("a repeated command runs until its output is right", async (t) => {
  const session = openSession(t);
  const folder = (await session.run(makeStep("mktemp -d"))).output.trim();
  const count = makeStep(`echo x >> ${folder}/n; wc -l < ${folder}/n | sed 's/2/two/'`, "two", { isRepeated: true });
  assert.equal((await session.run(count)).failure, undefined);
  await session.run(makeStep(`rm -r ${folder}`));
});

test("a process that is left is named and killed", {
  skip: process.platform !== "linux" && "needs /proc",
}, async (t) => {
  const session = openSession(t);
  await session.run(makeStep("setsid sleep 61 > /dev/null 2>&1 & until grep -qa ^sleep /proc/$!/cmdline; do :; done"));
  assert.deepEqual(await session.end(), ["sleep 61"]);
  assert.deepEqual(await session.end(), []);
});

test("an interruption ends the command", async (t) => {
  const interruption = new AbortController();
  const session = openSession(t, interruption.signal);
  const running = session.run(makeStep("sleep 62"));
  interruption.abort();
  assert.notEqual((await running).failure, undefined);
  assert.deepEqual(await session.end(), []);
});
