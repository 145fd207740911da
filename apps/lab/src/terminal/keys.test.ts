import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import { readKeys } from "./keys.ts";

test("keys are read one by one, Ctrl-C is a signal, and the terminal is restored", () => {
  const calls: string[] = [];
  const input = Object.assign(new EventEmitter(), {
    setRawMode: (isRaw: boolean) => calls.push(`raw ${isRaw}`),
    resume: () => calls.push("resume"),
    pause: () => calls.push("pause"),
  });
  const keys: string[] = [];
  const raised: string[] = [];
  const listeners = process.listenerCount("exit");
  const reader = readKeys(
    input,
    (key) => keys.push(key),
    (signal) => raised.push(signal),
  );
  for (const text of ["+k", "\x1b[A", "\x03", "\x1c", "q"]) input.emit("data", Buffer.from(text));
  assert.deepEqual(
    [keys, raised],
    [
      ["+", "k", "q"],
      ["SIGINT", "SIGQUIT"],
    ],
  );
  assert.equal(process.listenerCount("exit"), listeners + 1, "restores the terminal when the process exits");
  reader.close();
  assert.deepEqual(calls, ["raw true", "resume", "pause", "raw false"]);
  assert.equal(process.listenerCount("exit"), listeners);
  assert.equal(input.listenerCount("data"), 0);
});

for (const [behaviour, text, wanted] of [
  ["an arrow, and Ctrl-C right behind it", "\x1b[A\x03", ["SIGINT"]],
  ["Escape, and Ctrl-C right behind it", "\x1b\x03", ["SIGINT"]],
  ["a key, a function key with its modifier, and a key", "k\x1b[15;5~f", ["k", "f"]],
  ["an arrow of the application mode, and a key", "\x1bOAq", ["q"]],
  ["a key with Alt, and the same without", "\x1bkk", ["k"]],
] as const) {
  test(`keys that arrive together: ${behaviour}`, () => {
    const input = Object.assign(new EventEmitter(), { setRawMode() {}, resume() {}, pause() {} });
    const got: string[] = [];
    const reader = readKeys(
      input,
      (key) => got.push(key),
      (signal) => got.push(signal),
    );
    input.emit("data", Buffer.from(text));
    reader.close();
    assert.deepEqual(got, wanted);
  });
}
