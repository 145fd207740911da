import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseEtcdAddress } from "./etcd.ts";

describe("etcd's log line", () => {
  const wanted = [
    '{"level":"info","ts":"2026-01-01T00:00:00Z","caller":"embed/serve.go:145","msg":"serving client traffic insecurely; this is strongly discouraged!","address":"127.0.0.1:40263"}',
    '{"level":"info","ts":"2026-01-01T00:00:00Z","caller":"embed/serve.go:210","msg":"serving client traffic insecurely; this is strongly discouraged!","traffic":"grpc+http","address":"127.0.0.1:40263"}',
  ];
  for (const [i, line] of wanted.entries()) {
    it(`has the client address, in the format of etcd ${["3.4", "3.5"][i]}`, () => {
      assert.equal(parseEtcdAddress(line), "127.0.0.1:40263");
    });
  }

  it("has no address when it is another line", () => {
    assert.equal(parseEtcdAddress('{"msg":"ready to serve client requests"}'), undefined);
    assert.equal(parseEtcdAddress('{"msg":"serving peer traffic","address":"127.0.0.1:37911"}'), undefined);
  });
});
