import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { WorkshopCluster } from "./cluster.ts";

test("a cluster that does not answer any more is reported, and the results of the exercises are not lost", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "grpc-lb-cluster-"));
  const { PATH = "" } = process.env;
  process.env.PATH = `${folder}:${PATH}`;
  t.after(() => {
    process.env.PATH = PATH;
    rmSync(folder, { recursive: true });
  });
  const write = (name: string, lines: readonly string[]) => {
    writeFileSync(join(folder, name), ["#!/bin/sh", ...lines, ""].join("\n"));
    chmodSync(join(folder, name), 0o755);
  };
  write("make", ["exit 0"]);
  write("kubectl", ['case "$*" in *" config "* | config* | *"/readyz"*) exit 0 ;; esac', "echo refused >&2", "exit 1"]);
  const cluster = new WorkshopCluster();
  assert.deepEqual(cluster.describe().split("\n"), [
    "kubectl get: refused",
    "kubectl get: refused",
    "kubectl get: refused",
    "kubectl logs: refused",
  ]);
  assert.deepEqual(cluster.close(), [`kubectl get: refused: maybe namespace ${cluster.namespace}`]);
});
