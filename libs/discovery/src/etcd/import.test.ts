import assert from "node:assert/strict";
import { test } from "node:test";
import { runToEnd } from "@grpc-lb/program/testing";

test("grpc-js is loaded by the import of etcd's part alone", async () => {
  const probe = new URL("../../testing/programs/etcd-import.ts", import.meta.url).pathname;
  const { code, stdout, stderr } = await runToEnd(probe, []);
  assert.deepEqual([code, stdout], [0, ["discovery: no", "registration: no", "etcd: yes"]], stderr.join("\n"));
});
