import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { systemClock } from "@grpc-lb/core";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { ProgramError } from "@grpc-lb/program";
import { isRegisteredLine, parseServingLine, startPodServer } from "./pod-server.ts";
import { ProcessGroup } from "./process-group.ts";

describe("a server's log line", () => {
  it("has the ports when the server serves", () => {
    const line = '{"level":"info","app":"server","httpPort":43211,"grpcPort":38233,"msg":"serving"}';
    assert.deepEqual(parseServingLine(line), { httpPort: 43211, grpcPort: 38233 });
    for (const other of [
      "",
      "null",
      "Debugger listening",
      '{"msg":"serving"}',
      '{"msg":"stopped","httpPort":1,"grpcPort":2}',
    ]) {
      assert.equal(parseServingLine(other), undefined, other);
    }
  });

  it("is recognized when the server is registered", () => {
    assert.ok(isRegisteredLine('{"level":"info","app":"server","subject":"etcd: server","msg":"registered"}'));
    for (const other of ["", "null", '{"msg":"serving","httpPort":1,"grpcPort":2}']) {
      assert.ok(!isRegisteredLine(other), other);
    }
  });
});

it("a server that exits before it serves fails its start, and not the others of its group", async () => {
  const group = new ProcessGroup();
  let groupError: unknown;
  group.failed.catch((error: unknown) => {
    groupError = error;
  });
  const start = startPodServer(group, "server-1", systemClock, AbortSignal.timeout(60_000), { flags: ["--wrong"] });
  await assert.rejects(start, (error) => {
    assert.ok(error instanceof ProgramError);
    assert.match(error.message, /^server-1 exited with code 2; last lines of stderr:/);
    return true;
  });
  await group.close();
  assert.equal(groupError, undefined);
  await assertNothingLeft();
});
