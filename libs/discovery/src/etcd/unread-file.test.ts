/** Files of credentials whose writer never writes. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { FakeEtcd } from "../../testing/etcd/fake-etcd.ts";
import { SnapshotReader } from "../../testing/snapshot-reader.ts";
import { createEtcdSource, type EtcdCredentials } from "./index.ts";

for (const [what, credentialsOf] of [
  ["password", (file: string) => ({ user: "u", passwordFile: file })],
  ["CA", (file: string) => ({ tls: { caFile: file } })],
] as const) {
  test(`a source that waits for a pipe with its ${what} ends at once`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "grpc-lb-pipe-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const file = join(folder, "pipe");
    execFileSync("mkfifo", [file]);
    const writer = await open(file, "r+");
    const fake = await FakeEtcd.start();
    const credentials: EtcdCredentials = credentialsOf(file);
    const reader = new SnapshotReader(createEtcdSource({ endpoints: [fake.endpoint], service: "s", credentials }));
    await reader.close();
    await fake.close();
    await writer.close();
    await assertNothingLeft();
  });
}
