/**
 * A service account's token on a real API server: one that is refused, then replaced in its file, as the kubelet does it.
 * Run by `make e2e`, in a namespace of its own that it removes; skipped, and said so, without a cluster.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { systemClock } from "@grpc-lb/core";
import { createKubernetesSource, createServiceAccountAccess } from "../src/kubernetes/index.ts";

const kubectl = (...args: string[]) =>
  execFileSync("kubectl", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
const namespace = `grpc-lb-token-${randomBytes(3).toString("hex")}`;
const folder = mkdtempSync(join(tmpdir(), "grpc-lb-token-"));

function currentCluster(): { server: string; ca: string } | undefined {
  try {
    const [{ cluster }] = JSON.parse(
      kubectl("config", "view", "--minify", "--raw", "--flatten", "-o", "json"),
    ).clusters;
    return { server: cluster.server, ca: cluster["certificate-authority-data"] };
  } catch {
    return undefined; // no kubectl, or no current context
  }
}

const cluster = currentCluster();

after(() => {
  rmSync(folder, { recursive: true });
  if (cluster) kubectl("delete", "namespace", namespace, "--ignore-not-found", "--wait=false");
});

test("a token that is refused and then replaced in its file is used at once", {
  skip: !cluster?.ca && "there is no cluster with a CA in the current context",
}, async (t) => {
  kubectl("create", "namespace", namespace);
  kubectl("-n", namespace, "create", "serviceaccount", "reader");
  kubectl(
    "-n",
    namespace,
    "create",
    "role",
    "reader",
    "--verb=get,list,watch",
    "--resource=endpointslices.discovery.k8s.io",
  );
  kubectl("-n", namespace, "create", "rolebinding", "reader", "--role=reader", `--serviceaccount=${namespace}:reader`);
  const { hostname, port } = new URL(cluster?.server ?? "");
  const env = { KUBERNETES_SERVICE_HOST: hostname.replace(/^\[|\]$/g, ""), KUBERNETES_SERVICE_PORT: port || "443" };
  writeFileSync(join(folder, "ca.crt"), Buffer.from(cluster?.ca ?? "", "base64"));
  writeFileSync(join(folder, "namespace"), namespace);
  writeFileSync(join(folder, "token"), "expired");

  const access = await createServiceAccountAccess({ env, folder });
  const source = createKubernetesSource({ service: "server", access });
  let refusedMs: number | undefined;
  for await (const { endpoints, error } of source.watch(AbortSignal.timeout(30_000))) {
    if (error && refusedMs === undefined) {
      assert.match(error.message, /401 Unauthorized/);
      writeFileSync(join(folder, "token"), kubectl("-n", namespace, "create", "token", "reader", "--duration=10m"));
      refusedMs = systemClock.now();
    } else if (endpoints !== undefined && error === undefined && refusedMs !== undefined) {
      t.diagnostic(`in use ${Math.round(systemClock.now() - refusedMs)} ms after it was replaced`);
      return;
    }
  }
  assert.fail("the new token was not used within 30 s");
});
