import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { CertificatePair, TestAuthority } from "@grpc-lb/core/testing";
import type { Kubectl } from "../cluster/kubectl.ts";
import { callOnce, type Protocol, protocols } from "./caller.ts";
import { type ClientLog, readCallLines } from "./client.ts";
import { copyDeployment, copyService } from "./copy-deployment.ts";
import { both, refusalInLog, requireRefused } from "./refused.ts";
import { report } from "./report.ts";
import type { Shown } from "./shown.ts";
import { until } from "./until.ts";

const targets: Readonly<Record<Protocol, string>> = { grpc: "short-server:30051", http: "http://short-server" };

/** Deploys a server and a client with certificates of their own, which are valid until `expires`. Calls of both pass. */
export async function deployShortCertificates(
  t: TestContext,
  kubectl: Kubectl,
  authority: TestAuthority,
  expires: Date,
): Promise<void> {
  const create = (name: string, { certFile, keyFile }: CertificatePair) =>
    kubectl.run([
      ...["create", "secret", "generic", name, `--from-file=tls.crt=${certFile}`, `--from-file=tls.key=${keyFile}`],
      `--from-file=ca.crt=${authority.caFile}`,
    ]);
  await create("short-server-tls", authority.issue("short-server", { hosts: ["server"], expires }));
  await create("short-client-tls", authority.issue("short-client", { expires }));
  const ofServer = { replicas: 1, secrets: { "server-tls": "short-server-tls" } };
  await copyDeployment(kubectl, "server", "short-server", ofServer);
  await copyService(kubectl, "server", "short-server");
  await kubectl.run(["rollout", "status", "deployment/short-server", "--timeout=120s"]);
  for (const protocol of protocols) {
    // kube-proxy may learn a moment later that the pod is ready.
    await until(`a call of ${protocol} to short-server`, 30_000, async () => {
      const lines = await callOnce(kubectl, protocol, { target: targets[protocol] });
      return lines.join().startsWith("#1: short-server-") ? { value: true } : { seen: lines.join() };
    });
  }
  await copyDeployment(kubectl, "client-http", "short-client", { secrets: { "client-tls": "short-client-tls" } });
  await kubectl.run(["rollout", "status", "deployment/short-client", "--timeout=120s"]);
  const { calls } = await logOfClient(kubectl, "a call of short-client", ({ calls }) => calls.length > 0);
  report(t, `until ${expires.toISOString()} calls pass: ${calls[0]}`);
}

/** Waits until the certificates have expired, and requires that neither program is accepted any more, nor starts again. */
export async function requireExpired(t: TestContext, kubectl: Kubectl, shown: Shown, expires: Date): Promise<void> {
  await until("the end of the certificates", Math.max(0, expires.getTime() - Date.now()) + 10_000, async () => {
    const leftMs = expires.getTime() - Date.now();
    return leftMs < 0 ? { value: true } : { seen: `${Math.ceil(leftMs / 1_000)} s left` };
  });
  const reason = both(/: the server's certificate has expired$/);
  await requireRefused(t, kubectl, shown, ["an expired certificate of the server", {}, reason], targets);

  const { calls, errors } = await logOfClient(kubectl, "an error of short-client", ({ errors }) => errors.length > 0);
  for (const error of errors) assert.match(error, / may refuse the client's certificate$/);
  report(t, `an expired certificate of the client: after ${calls.length} calls: ${errors[0]}`);
  report(t, await refusalInLog(kubectl, "the client's certificate has expired"));

  await kubectl.run(["delete", "pods", "-l", "app=short-server"]);
  const start = await until("a server that starts with an expired certificate", 120_000, async () => {
    const { code, stdout, problem } = await kubectl.try(["logs", "deployment/short-server", "--previous"]);
    return code === 0 && stdout !== "" ? { value: stdout.trim() } : { seen: problem };
  });
  assert.match(start, /^server: certificate \/etc\/grpc-lb\/tls\/tls\.crt: expired on /);
  report(t, `a server that starts with it: ${start}`);
}

function logOfClient(kubectl: Kubectl, what: string, isThere: (log: ClientLog) => boolean): Promise<ClientLog> {
  return until(what, 60_000, async () => {
    const log = readCallLines(await kubectl.run(["logs", "deployment/short-client", "--tail=-1"]));
    return isThere(log) ? { value: log } : { seen: `${log.calls.length} calls, ${log.errors.length} errors` };
  });
}
