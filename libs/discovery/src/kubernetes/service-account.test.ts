import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { ManualClock } from "@grpc-lb/core/testing";
import { createServiceAccountAccessIn, isInCluster } from "./service-account.ts";

let folder: string;
const write = (files: Record<string, string>) =>
  Promise.all(Object.entries(files).map(([name, text]) => writeFile(join(folder, name), text)));

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "service-account-"));
  await write({ token: "one\n", "ca.crt": "CA1\n", namespace: "prod\n" });
});
afterEach(() => rm(folder, { recursive: true }));

const env = { KUBERNETES_SERVICE_HOST: "10.96.0.1", KUBERNETES_SERVICE_PORT: "443" };
const bearer = (token: string, ca: string) => ({ headers: { authorization: `Bearer ${token}` }, tls: { ca } });

test("server and namespace are those of the pod; an IPv6 host is bracketed", async () => {
  const clock = new ManualClock();
  const access = await createServiceAccountAccessIn({ folder, env }, { clock });
  assert.deepEqual([access.server.href, access.namespace], ["https://10.96.0.1/", "prod"]);
  const six = { KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "6443" };
  assert.equal(
    (await createServiceAccountAccessIn({ folder, env: six }, { clock })).server.href,
    "https://[fd00::1]:6443/",
  );
});

test("token and CA are read again after 60 s, not before, and at once after a denial", async () => {
  const clock = new ManualClock();
  const access = await createServiceAccountAccessIn({ folder, env }, { clock });
  assert.deepEqual(await access.credentials(false), bearer("one", "CA1"));
  await write({ token: "two", "ca.crt": "CA2" });
  clock.advance(59_999);
  assert.deepEqual(await access.credentials(false), bearer("one", "CA1"));
  clock.advance(1);
  assert.deepEqual(await access.credentials(false), bearer("two", "CA2"));
  await write({ token: "three" });
  assert.deepEqual(await access.credentials(true), bearer("three", "CA2"));
  assert.deepEqual(await access.credentials(false), bearer("three", "CA2"));
});

test("a missing file is an error with its path and a hint; a token that was read serves on without its file until it is denied", async () => {
  const clock = new ManualClock();
  const access = await createServiceAccountAccessIn({ folder, env }, { clock });
  await access.credentials(false);
  await rm(join(folder, "token"));
  clock.advance(60_000);
  assert.deepEqual(await access.credentials(false), bearer("one", "CA1"));
  await assert.rejects(
    access.credentials(true),
    /cannot read the service account's token: ENOENT.*automountServiceAccountToken/,
  );
  await rm(join(folder, "namespace"));
  await assert.rejects(createServiceAccountAccessIn({ folder, env }, { clock }), { code: "permissionDenied" });
});

test("a process is in a cluster when both variables are set", () => {
  assert.deepEqual(
    [isInCluster(env), isInCluster({}), isInCluster({ KUBERNETES_SERVICE_HOST: "a" })],
    [true, false, false],
  );
});
