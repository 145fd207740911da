import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { ProgramError } from "@grpc-lb/program";
import { ProcessGroup } from "./process-group.ts";

const programs = {
  waits: `process.stdout.write("ready\\n"); setInterval(() => {}, 1000);`,
  stubborn: `process.on("SIGTERM", () => {}); process.stdout.write("ready\\n"); setInterval(() => {}, 1000);`,
  fails: `process.stderr.write("disk full\\n"); process.exitCode = 3;`,
  tellsEnvironment: `process.stdout.write(Object.keys(process.env).join() + "\\n"); setInterval(() => {}, 1000);`,
};

describe("a ProcessGroup", () => {
  let directory = "";
  let group = new ProcessGroup();

  before(async () => {
    await group.close();
    directory = await mkdtemp(join(tmpdir(), "lab-"));
    for (const [name, code] of Object.entries(programs)) await writeFile(join(directory, `${name}.mjs`), code);
  });

  afterEach(async () => {
    await group.close();
    await assertNothingLeft();
  });

  after(() => rm(directory, { recursive: true }));

  function start(name: keyof typeof programs) {
    const line = Promise.withResolvers<string>();
    const main = join(directory, `${name}.mjs`);
    const child = group.start({ name, main, args: [], onStdout: line.resolve });
    return { child, firstLine: line.promise };
  }

  it("says who ended, how, and with what last words", async () => {
    group = new ProcessGroup();
    start("fails");
    await assert.rejects(group.broken, (error) => {
      assert.ok(error instanceof ProgramError);
      assert.equal(error.exitCode, 1);
      assert.equal(error.message, "fails ended with exit code 3; its last words on stderr:\n  disk full");
      return true;
    });
  });

  it("says which signal ended a member that nobody told to", async () => {
    group = new ProcessGroup();
    const { child, firstLine } = start("waits");
    await firstLine;
    child.kill("SIGKILL");
    await assert.rejects(group.broken, { message: "waits was ended by SIGKILL; it said nothing on stderr" });
  });

  it("stops the members named and leaves the others alone", async () => {
    group = new ProcessGroup();
    const waits = start("waits");
    const tells = start("tellsEnvironment");
    await Promise.all([waits.firstLine, tells.firstLine]);
    await group.stop(["waits"]);
    assert.deepEqual(await waits.child.exited, { code: null, signal: "SIGTERM" });
    process.kill(tells.child.pid ?? 0, 0); // throws when it is gone
    await group.close();
    assert.throws(() => process.kill(tells.child.pid ?? 0, 0), { code: "ESRCH" });
  });

  it("gives its members PATH, and Node's cache of compiled files where there is one, and nothing else", async () => {
    group = new ProcessGroup();
    const expected = process.env.NODE_COMPILE_CACHE ? "NODE_COMPILE_CACHE,PATH" : "PATH";
    const names = (await start("tellsEnvironment").firstLine).split(",").sort().join();
    assert.equal(names, expected);
  });

  it("refuses a second member of the same name, which would hide the first from stop", async () => {
    group = new ProcessGroup();
    await start("waits").firstLine;
    assert.throws(() => start("waits"), { message: "there is a member waits already" });
  });

  it("starts and stops any program, and what guards it", async () => {
    group = new ProcessGroup();
    const line = Promise.withResolvers<string>();
    const args = ["-c", "echo $$; exec tail -f /dev/null"];
    const child = group.start({ name: "any", command: "/bin/sh", args, onStdout: line.resolve });
    assert.equal(Number(await line.promise), child.pid);
    await group.stop();
    assert.deepEqual(await child.exited, { code: null, signal: "SIGTERM" });
  });

  it("quotes what a program that is none of the suite said anywhere", async () => {
    group = new ProcessGroup();
    group.start({ name: "any", command: "/bin/sh", args: ["-c", "echo port in use; exit 1"] });
    await assert.rejects(group.broken, { message: "any ended with exit code 1; its last words:\n  port in use" });
  });

  it("makes a member end that does not want to", async () => {
    group = new ProcessGroup({ graceMs: 50 });
    const { child, firstLine } = start("stubborn");
    await firstLine;
    await group.stop();
    assert.deepEqual(await child.exited, { code: null, signal: "SIGKILL" });
  });
});
