import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { ManualClock } from "@grpc-lb/core/testing";
import { setEnvironment } from "../../testing/environment.ts";
import { createDefaultAccess } from "./access.ts";

const folder = mkdtempSync(join(tmpdir(), "access-"));
after(() => rmSync(folder, { recursive: true }));
const mounted = join(folder, "mounted");
mkdirSync(mounted);
for (const name of ["token", "ca.crt", "namespace"]) writeFileSync(join(mounted, name), name);

function kubeconfig(path: string, server: string): string {
  const config = {
    "current-context": "c",
    clusters: [{ name: "c", cluster: { server } }],
    contexts: [{ name: "c", context: { cluster: "c" } }],
  };
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, JSON.stringify(config));
  return path;
}
const listed = kubeconfig(join(folder, "listed"), "https://listed/");
const withConfig = join(folder, "home");
kubeconfig(join(withConfig, ".kube", "config"), "https://home/");
const empty = join(folder, "empty");
writeFileSync(empty, "");
const missing = join(folder, "missing");

/** The server that a process in a pod (`KUBERNETES_SERVICE_HOST`) or outside would use. */
async function find(t: TestContext, variables: { KUBECONFIG?: string; HOME: string }, isPod: boolean, mount = mounted) {
  const [host, port] = isPod ? ["10.0.0.1", "443"] : [];
  setEnvironment(t, {
    KUBECONFIG: undefined,
    ...variables,
    KUBERNETES_SERVICE_HOST: host,
    KUBERNETES_SERVICE_PORT: port,
  });
  return (await createDefaultAccess({ clock: new ManualClock(), folder: mount })).server.href;
}
const account = "https://10.0.0.1/";

test("in a pod: KUBECONFIG, then ~/.kube/config, then the service account", async (t) => {
  assert.equal(await find(t, { KUBECONFIG: listed, HOME: withConfig }, true), "https://listed/");
  assert.equal(await find(t, { HOME: withConfig }, true), "https://home/");
  assert.equal(await find(t, { HOME: missing }, true), account);
});

test("in a pod: a KUBECONFIG whose files are missing or have no context leaves the service account", async (t) => {
  assert.equal(await find(t, { KUBECONFIG: missing, HOME: withConfig }, true), account);
  assert.equal(await find(t, { KUBECONFIG: empty, HOME: withConfig }, true), account);
});

test("a pod without a mounted token uses the kubeconfig; without one, the error names both", async (t) => {
  assert.equal(await find(t, { HOME: withConfig }, true, missing), "https://home/");
  await assert.rejects(
    find(t, { HOME: missing }, true, missing),
    /service account's namespace: ENOENT.*automountServiceAccountToken false\? A kubeconfig \(KUBECONFIG\) is used first$/,
  );
});

test("a kubeconfig that cannot be used is an error in a pod too", async (t) => {
  const broken = join(folder, "broken");
  writeFileSync(broken, "{");
  await assert.rejects(find(t, { KUBECONFIG: broken, HOME: missing }, true), { code: "invalid" });
});

test("outside of a pod there is no service account", async (t) => {
  await assert.rejects(find(t, { HOME: missing }, false), {
    code: "notFound",
    message: /no kubeconfig .* and no pod$/,
  });
});
