import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { startProgram } from "@grpc-lb/program/testing";
import { FakeDnsServer } from "../testing/dns/fake-dns-server.ts";

const probe = new URL("../testing/programs/background.ts", import.meta.url).pathname;
/** The exit code of Node when a top-level await never settles. */
const unsettled = 13;

/** A file and a DNS name with one endpoint, to which `add` adds another. */
const worlds: Record<string, (t: TestContext) => Promise<{ argument: string; add(): void }>> = {
  async file(t) {
    const folder = mkdtempSync(join(tmpdir(), "grpc-lb-background-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const argument = join(folder, "e.json");
    writeFileSync(argument, '[{ "address": "10.0.0.1:80" }]');
    const add = () => writeFileSync(argument, '[{ "address": "10.0.0.1:80" }, { "address": "10.0.0.2:80" }]');
    return { argument, add };
  },
  async dns(t) {
    const dns = await FakeDnsServer.start();
    t.after(() => dns.close());
    dns.set("server.example", { A: ["10.0.0.1"], ttlSeconds: 1 });
    const add = () => dns.set("server.example", { A: ["10.0.0.1", "10.0.0.2"] });
    return { argument: `${dns.address.host}:${dns.address.port}`, add };
  },
};

// Most of the time is the start of a program, so they run together.
describe("files, DNS and static targets", { concurrency: 4 }, () => {
  for (const [kind, start] of Object.entries(worlds)) {
    test(`${kind}: a program that only reads a source lives until it has read enough`, async (t) => {
      const { argument, add } = await start(t);
      const program = startProgram(probe, [kind, "foreground", argument]);
      await program.line((line) => line === "1");
      add();
      assert.equal((await program.exited).code, 0, program.stderr.join("\n"));
    });
  }

  for (const kind of [...Object.keys(worlds), "static"]) {
    test(`${kind}: a watch in the background does not keep the process alive`, async (t) => {
      const argument = (await worlds[kind]?.(t))?.argument ?? "";
      const program = startProgram(probe, [kind, "background", argument]);
      await program.line((line) => line === "1");
      assert.equal((await program.exited).code, unsettled, program.stderr.join("\n"));
    });
  }
});
