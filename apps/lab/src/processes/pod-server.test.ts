import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isRegisteredLine, parseServingLine } from "./pod-server.ts";

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
