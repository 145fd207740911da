import assert from "node:assert/strict";
import { join } from "node:path";
import { afterEach, describe, it } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { ProgramError } from "@grpc-lb/program";
import { ProcessGroup } from "./process-group.ts";

const sampleMember = join(import.meta.dirname, "../../testing/sample-member.ts");

describe("a ProcessGroup", () => {
  const groups: ProcessGroup[] = [];

  afterEach(async () => {
    await Promise.all(groups.splice(0).map((group) => group.close()));
    await assertNothingLeft();
  });

  function createGroup(options?: ConstructorParameters<typeof ProcessGroup>[0]): ProcessGroup {
    const group = new ProcessGroup(options);
    groups.push(group);
    return group;
  }

  /** Starts a sample member, named after its behaviour. */
  function start(group: ProcessGroup, behaviour: string) {
    const line = Promise.withResolvers<string>();
    const child = group.start({ name: behaviour, main: sampleMember, args: [behaviour], onStdout: line.resolve });
    return { child, firstLine: line.promise };
  }

  it("fails with the name, the exit code and the last lines of a member that exits", async () => {
    const group = createGroup();
    start(group, "fail");
    await assert.rejects(group.failed, (error) => {
      assert.ok(error instanceof ProgramError);
      assert.equal(error.exitCode, 1);
      assert.equal(error.message, "fail exited with code 3; last lines of stderr:\n  disk full");
      return true;
    });
  });

  it("fails with the signal that terminated a member", async () => {
    const group = createGroup();
    const { child, firstLine } = start(group, "wait");
    await firstLine;
    child.kill("SIGKILL");
    await assert.rejects(group.failed, { message: "wait was terminated by SIGKILL; stderr is empty" });
  });

  it("fails when a program does not exist", async () => {
    const group = createGroup();
    group.start({ name: "absent", command: "/nonexistent/program", args: [] });
    await assert.rejects(group.failed, { message: /^absent could not be started: .*ENOENT/ });
  });

  it("stops the given members and no others", async () => {
    const group = createGroup();
    const stopped = start(group, "wait");
    const other = start(group, "print-environment");
    await Promise.all([stopped.firstLine, other.firstLine]);
    await group.stop(["wait"]);
    assert.deepEqual(await stopped.child.exited, { code: null, signal: "SIGTERM" });
    process.kill(other.child.pid ?? 0, 0); // throws when the process is gone
    await group.close();
    assert.throws(() => process.kill(other.child.pid ?? 0, 0), { code: "ESRCH" });
  });

  it("passes PATH and, when it is set, NODE_COMPILE_CACHE to its members, and nothing else", async () => {
    const expected = process.env.NODE_COMPILE_CACHE ? "NODE_COMPILE_CACHE,PATH" : "PATH";
    const names = (await start(createGroup(), "print-environment").firstLine).split(",").sort().join();
    assert.equal(names, expected);
  });

  it("rejects a second member of the same name, which would hide the first from stop", async () => {
    const group = createGroup();
    await start(group, "wait").firstLine;
    assert.throws(() => start(group, "wait"), { message: "a member named wait already exists" });
  });

  it("starts and stops a program that is not Node's, with its watchdog", async () => {
    const group = createGroup();
    const line = Promise.withResolvers<string>();
    const args = ["-c", "echo $$; exec tail -f /dev/null"];
    const child = group.start({ name: "shell", command: "/bin/sh", args, onStdout: line.resolve });
    assert.equal(Number(await line.promise), child.pid);
    await group.stop();
    assert.deepEqual(await child.exited, { code: null, signal: "SIGTERM" });
  });

  it("quotes stdout too of a program that is not of this repository", async () => {
    const group = createGroup();
    group.start({ name: "shell", command: "/bin/sh", args: ["-c", "echo port in use; exit 1"] });
    await assert.rejects(group.failed, { message: "shell exited with code 1; last lines of output:\n  port in use" });
  });

  it("kills a member that ignores SIGTERM", async () => {
    const group = createGroup({ graceMs: 50 });
    const { child, firstLine } = start(group, "ignore-sigterm");
    await firstLine;
    await group.stop();
    assert.deepEqual(await child.exited, { code: null, signal: "SIGKILL" });
  });
});
