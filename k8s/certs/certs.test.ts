import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { runToEnd } from "@grpc-lb/program/testing";

const main = `${import.meta.dirname}/main.ts`;
const hasOpenssl = spawnSync("openssl", ["version"]).status === 0;

test("make certs creates an authority and certificates, renews only those, and overwrites no foreign file", {
  skip: !hasOpenssl && "openssl is not installed",
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "certs-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const out = join(folder, "certs");
  const run = (...args: string[]) => runToEnd(main, ["--out", out, ...args]);
  const read = (name: string) => readFileSync(join(out, name), "utf8");
  const certificate = (name: string) => new X509Certificate(read(name));

  const first = await run("--names", "server.example.com,10.0.0.1", "--days", "3", "--namespace", "blue");
  assert.deepEqual([first.code, first.stderr], [0, []]);
  assert.deepEqual(readdirSync(out).sort(), "ca.crt ca.key client.crt client.key server.crt server.key".split(" "));
  for (const name of ["ca.key", "server.key", "client.key"]) {
    assert.equal(statSync(join(out, name)).mode & 0o777, 0o600, name);
  }
  const [ca, server, client] = [certificate("ca.crt"), certificate("server.crt"), certificate("client.crt")];
  assert.ok(ca.ca && !server.ca && server.checkIssued(ca) && client.checkIssued(ca));
  for (const name of ["localhost", "server", "server.blue", "server-headless.blue.svc", "server.example.com"]) {
    assert.equal(server.checkHost(name), name);
  }
  for (const address of ["127.0.0.1", "::1", "10.0.0.1"]) assert.ok(server.checkIP(address), address);
  assert.equal(Math.round((Date.parse(server.validTo) - Date.now()) / 86_400_000), 3);

  const before = ["ca.crt", "ca.key"].map(read);
  const second = await run();
  assert.match(
    second.stdout.join("\n"),
    /^kept .*ca\.crt\nrenewed .*server\.crt, valid for 90 days\nrenewed .*\n.*server\.crt keeps the names server\.blue, .*, server\.example\.com, 10\.0\.0\.1; delete it first to drop them$/,
  );
  const renewed = certificate("server.crt");
  for (const name of ["server.default", "server.blue", "server.example.com"]) {
    assert.equal(renewed.checkHost(name), name);
  }
  assert.ok(renewed.checkIP("10.0.0.1"));
  assert.equal(renewed.subjectAltName?.split("IP Address:0:0:0:0:0:0:0:1").length, 2, "no name is there twice");
  assert.deepEqual(["ca.crt", "ca.key"].map(read), before);
  assert.notEqual(certificate("server.crt").serialNumber, server.serialNumber);

  writeFileSync(join(out, "client.crt"), "mine");
  const foreign = await run();
  assert.deepEqual([foreign.code, foreign.stderr.length, read("client.crt")], [1, 1, "mine"]);
  assert.match(foreign.stderr[0] ?? "", /client\.crt cannot be read as a certificate/);
  rmSync(join(out, "ca.key"));
  const half = await run();
  assert.deepEqual([half.code, half.stderr.length], [1, 1]);
  assert.match(half.stderr[0] ?? "", /ca\.key is missing/);
});

test("a folder that cannot be created is one line", { skip: !existsSync("/proc/self") && "no /proc" }, async () => {
  const { code, stderr } = await runToEnd(main, ["--out", "/proc/foo/certs"]);
  assert.deepEqual([code, stderr.length], [1, 1]);
  assert.match(stderr[0] ?? "", /^certs: cannot create \/proc\/foo\/certs: ENOENT/);
  const file = await runToEnd(main, ["--out", `${import.meta.filename}/certs`]);
  assert.deepEqual([file.code, file.stderr.length], [1, 1]);
});

test("a wrong name exits 2 with one line", async () => {
  const wrong = await runToEnd(main, ["--namespace", "Foo_bar"]);
  assert.deepEqual([wrong.code, wrong.stderr.length], [2, 1]);
  assert.match(wrong.stderr[0] ?? "", /--namespace must be a namespace's name .*, got "Foo_bar"$/);
  const { code, stderr } = await runToEnd(main, ["--names", "a,DNS:b"]);
  assert.deepEqual([code, stderr.length], [2, 1]);
  assert.match(stderr[0] ?? "", /--names must be names .*, got "DNS:b"/);
});
