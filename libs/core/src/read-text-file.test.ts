import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ManualClock } from "../testing/manual-clock.ts";
import { turn, until } from "../testing/until.ts";
import { describeReadFailure } from "./read-failure.ts";
import { readTextFile } from "./read-text-file.ts";

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "grpc-lb-read-"));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

function makePipe(t: TestContext): string {
  const path = join(folder(t), "pipe");
  execFileSync("mkfifo", [path]);
  return path;
}

test("reads a file to its end", async (t) => {
  const path = join(folder(t), "text");
  const text = "ä".repeat(100_000);
  writeFileSync(path, text);
  assert.equal(await readTextFile(path), text);
});

test("a file that is too large is refused, and also one without an end", async (t) => {
  const path = join(folder(t), "text");
  writeFileSync(path, "12345");
  assert.equal(await readTextFile(path, { maxBytes: 5 }), "12345");
  await assert.rejects(readTextFile(path, { maxBytes: 4 }), { message: `${path} is larger than 4 bytes` });
  await assert.rejects(readTextFile("/dev/zero"), { message: "/dev/zero is larger than 4194304 bytes" });
});

test("a file that is missing, or a folder, is the error of the system", async (t) => {
  await assert.rejects(readTextFile(join(folder(t), "nothing")), { code: "ENOENT" });
  await assert.rejects(readTextFile(folder(t)), { code: "EISDIR" });
});

test("the content of a file in place of its name is an error that does not repeat it", async () => {
  const token = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJlLW9mLXRva2Vu";
  await assert.rejects(readTextFile(token), {
    message: "must be the name of a file, and looks like the content of one",
  });
});

test("why a read has failed can be said without the file's name", async (t) => {
  const path = join(folder(t), "text");
  writeFileSync(path, "12345");
  for (const [read, reason] of [
    [() => readTextFile(path, { maxBytes: 4 }), "it is larger than 4 bytes"],
    [() => readTextFile(`${path}/none`), "no such file"],
    [() => readTextFile(join(path, "..", "none")), "no such file"],
    [() => readTextFile(join(path, "..")), "a folder, not a file"],
  ] as const) {
    await assert.rejects(read, (error) => describeReadFailure(error) === reason, reason);
  }
});

test("a pipe is read to the end of its writer", async (t) => {
  const path = makePipe(t);
  const writer = await open(path, "r+");
  await writer.write("one ");
  const clock = new ManualClock();
  const reading = readTextFile(path, { clock });
  await until(() => clock.sleeping === 1, "the reader waits");
  await writer.write("two");
  await writer.close();
  clock.advance(20);
  assert.equal(await reading, "one two");
});

test("a pipe whose writer writes nothing is given up after 5 s", async (t) => {
  const path = makePipe(t);
  const writer = await open(path, "r+");
  t.after(() => writer.close());
  const clock = new ManualClock();
  const reading = readTextFile(path, { clock });
  const rejected = assert.rejects(reading, { message: `${path} was not read to its end within 5s` });
  await until(() => clock.sleeping === 1, "the reader waits");
  clock.advance(5_000);
  await turn();
  await rejected;
});

test("an abort ends the read of a pipe at once", async (t) => {
  const path = makePipe(t);
  const writer = await open(path, "r+");
  t.after(() => writer.close());
  const clock = new ManualClock();
  const ending = new AbortController();
  const rejected = assert.rejects(readTextFile(path, { clock, signal: ending.signal }), { message: "closed" });
  await until(() => clock.sleeping === 1, "the reader waits");
  ending.abort(new Error("closed"));
  await rejected;
});
