import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { after, before, type TestContext, test } from "node:test";
import { createKubectl } from "../cluster/kubectl.ts";
import { firstCalls, readClient } from "./client.ts";
import { prefixVariables } from "./images.ts";
import { makeOk } from "./make.ts";
import { progress, report } from "./report.ts";
import { until } from "./until.ts";

/** The body of a step. */
export type Step = (t: TestContext) => Promise<void>;

/**
 * Starts a story on the cluster of the current context: steps that build on each other, in a namespace that is deleted at the end,
 * also after Ctrl-C. If a step fails, the later ones are skipped.
 *
 * @param others suffixes of further namespaces that the story may create, and that are deleted too
 */
export async function beginStory(name: string, others: readonly string[] = []) {
  const namespace = `grpc-lb-e2e-${name}-${randomBytes(3).toString("hex")}`;
  const namespaces = [namespace, ...others.map((suffix) => `${namespace}-${suffix}`)];
  const kubectl = await createKubectl(namespace);
  const running: { stop(): Promise<void> }[] = [];
  let hasFailed = false;

  before(async () => {
    await makeOk("doctor", { FOR: "kube-deploy" });
  });
  const removeNow = () => {
    const args = ["delete", "namespace", ...namespaces, "--ignore-not-found", "--wait=false"];
    spawnSync("kubectl", args, { stdio: "ignore" });
  };
  // Ctrl-C ends the process of one story; a file that the test runner started in a process of its own gets SIGTERM from it.
  const endNow = () => process.exit(143);
  process.on("exit", removeNow);
  process.once("SIGTERM", endNow);
  after(async () => {
    progress("── cleaning up");
    await Promise.all(running.map((part) => part.stop()));
    // The deletion of a namespace with pods waits half of their grace period, even if they end much earlier.
    await kubectl.try(["delete", "deployments", "--all", "--cascade=foreground", "--timeout=60s"]);
    const { code, problem } = await kubectl.try([
      "delete",
      "namespace",
      ...namespaces,
      "--ignore-not-found",
      "--timeout=180s",
    ]);
    assert.equal(code, 0, `the namespaces are not gone: ${problem}`);
    process.off("exit", removeNow);
    process.off("SIGTERM", endNow);
  });

  const step = (what: string, body: Step) => {
    test(what, async (t) => {
      if (hasFailed) return t.skip("an earlier step failed");
      progress(`── ${what}`);
      try {
        await body(t);
      } catch (error) {
        hasFailed = true;
        throw error;
      }
    });
  };

  /** Stops `part` at the end of the story, also when a step fails; otherwise the process would not end. */
  const stopAtEnd = <T extends { stop(): Promise<void> }>(part: T): T => {
    running.push(part);
    return part;
  };

  /** Sets the clients' interval between calls, which is 1 s by default. */
  const setCallInterval = async (interval: string) => {
    await kubectl.run(["set", "env", "deployment/client-http", "deployment/client-grpc", `INTERVAL=${interval}`]);
    await Promise.all(["client-http", "client-grpc"].map(isReplaced));
  };

  /** Waits until a changed client is rolled out and its old pod is gone. */
  const isReplaced = async (client: string) => {
    await kubectl.run(["rollout", "status", `deployment/${client}`, "--timeout=120s"]);
    await until(`the old ${client} to be gone`, 60_000, async () => {
      const { items } = await kubectl.get(["pods", "-l", `app=${client}`]);
      return items.length === 1 ? { value: true } : { seen: `${items.length} pods` };
    });
  };

  const requireNoErrors = async (t: TestContext) => {
    for (const client of ["client-http", "client-grpc"] as const) {
      await firstCalls(kubectl, client, 1); // a client that has made none yet has no errors either
      const { calls, errors, others } = await readClient(kubectl, client);
      assert.deepEqual(errors, [], `${client} has failed calls`);
      assert.deepEqual(others, [], `${client} has other lines`);
      report(t, `${client}: ${calls.length} calls since its start, 0 errors`);
    }
  };

  return {
    namespace,
    kubectl,
    inNamespace: { NAMESPACE: namespace, ...prefixVariables },
    step,
    report,
    stopAtEnd,
    setCallInterval,
    isReplaced,
    requireNoErrors,
  };
}
