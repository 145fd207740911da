import assert from "node:assert/strict";
import { test } from "node:test";
import { envoyPortFlag, serveFlag, toMap } from "./serve-flag.ts";

test("a name and a target are parsed, the target with its own = signs", () => {
  assert.deepEqual(serveFlag.parse("server=kubernetes:///server:grpc"), ["server", "kubernetes:///server:grpc"]);
  assert.deepEqual(serveFlag.parse("a:80=static:///h:1?weights=3"), ["a:80", "static:///h:1?weights=3"]);
  assert.deepEqual(envoyPortFlag.parse("server=30051"), ["server", 30_051]);
});

test("what is not valid says what is expected, and a name occurs once", () => {
  assert.throws(() => serveFlag.parse("server"), { message: "must be name=target, such as server=…" });
  assert.throws(() => serveFlag.parse("=static:///h:1"), { message: "must be name=target, such as server=…" });
  assert.throws(() => serveFlag.parse("server=none:///x"), /^RangeError: server: .*none/);
  assert.throws(() => envoyPortFlag.parse("server=0"), { message: "server: must be a port from 1 to 65535" });
  assert.throws(
    () =>
      toMap("--serve", [
        ["a", 1],
        ["b", 2],
        ["a", 3],
      ]),
    { message: "--serve must name each service once, got a twice" },
  );
});
