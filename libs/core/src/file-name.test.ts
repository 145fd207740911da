import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { requireFileName, showFileName } from "./file-name.ts";

const contents = [
  "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n-----END PRIVATE KEY-----",
  "-----BEGIN CERTIFICATE----- MIIB",
  "/etc/tls/-----BEGIN CERTIFICATE-----",
  "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJlLW9mLXRva2Vu",
  "/home/alice/eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl",
  "3f786850e387550fdab836ed7e6dc881de23001b",
  "9f8b3c52-7a1d-4c6e-8f0a-2b4d6e8f0a1c",
  "mR7v/9cQ2+LwzX1tYh8KdE4sNpGfJbUo0aVi5lC3xHk=",
  '{"keys":[]}',
  ' [{"a":1}]',
  "a\nb",
  "a\0b",
  "x".repeat(256),
  "x/".repeat(3_000),
];

test("the content of a file is refused where its name belongs, and is not repeated", () => {
  for (const text of contents) {
    const message = "must be the name of a file, and looks like the content of one";
    assert.throws(() => requireFileName(text), { name: "RangeError", message }, text);
    assert.equal(showFileName(text), "…", text);
  }
});

test("a name of a file is one, whether the file exists or not", () => {
  for (const name of [
    "server.key",
    "/var/run/secrets/kubernetes.io/serviceaccount/token",
    "/var/lib/kubelet/pods/9f8b3c52-7a1d-4c6e-8f0a-2b4d6e8f0a1c/volumes/token",
    "./..2026_11_27_16_57_47.1234567890/tls.crt",
    "certificate-of-the-server-for-the-workshop",
    "C:\\keys\\server.key",
    "keys of the issuer.json",
    "/dev/fd/63",
    "x".repeat(255),
  ]) {
    requireFileName(name);
    assert.equal(showFileName(name), name);
  }
});

test("a file that exists is not refused, whatever its name looks like", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "grpc-lb-name-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl");
  writeFileSync(path, "");
  requireFileName(path);
});
