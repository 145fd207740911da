import { systemClock } from "@grpc-lb/core";
import { startChild } from "@grpc-lb/program";
import type { Kubectl } from "../cluster/kubectl.ts";
import { type ApiServerPod, describePod, hasBeenReady, type LivePod, reconcile } from "./pod-state.ts";

const selector = "app=server";
const retryMs = 1_000;
/** After this the API server ends the watch, and the pods are listed anew. */
const watchSeconds = 300;

/**
 * Lists and watches the server's pods until `signal` is aborted, also over failures and ends of the watch.
 *
 * @param onPod takes each change of a pod
 * @param warn takes the reason while the pods cannot be read, and an empty text when they can again
 */
export async function watchServers(
  kubectl: Kubectl,
  { onPod, warn, signal }: { onPod(pod: LivePod): void; warn(text: string): void; readonly signal: AbortSignal },
): Promise<void> {
  const known = new Map<string, LivePod>();
  const take = (pod: LivePod) => {
    const before = known.get(pod.pod);
    if (before?.state === pod.state && before.node === pod.node) return;
    if (pod.state === "gone") known.delete(pod.pod);
    else known.set(pod.pod, pod);
    onPod(pod);
  };
  for (; !signal.aborted; await systemClock.sleep(retryMs, signal)) {
    const { code, stdout, problem } = await kubectl.try(["get", "pods", "-l", selector, "-o", "json"], { signal });
    if (signal.aborted) return;
    if (code !== 0) {
      warn(problem);
      continue;
    }
    warn("");
    const { metadata, items } = JSON.parse(stdout);
    for (const pod of reconcile(known, items)) take(pod);
    const problemOfWatch = await watchFrom(kubectl, metadata.resourceVersion, signal, ({ type, object }) => {
      if (object?.metadata?.name === undefined) return; // an ERROR, after which the watch ends
      const pod = describePod(object, hasBeenReady(known.get(object.metadata.name)));
      take(type === "DELETED" ? { ...pod, state: "gone" } : pod);
    });
    if (problemOfWatch !== "") warn(problemOfWatch);
  }
}

interface WatchEvent {
  readonly type: string;
  readonly object?: ApiServerPod;
}

/** Watches once. @returns why it ended; empty for its regular end */
async function watchFrom(
  kubectl: Kubectl,
  resourceVersion: string,
  signal: AbortSignal,
  take: (event: WatchEvent) => void,
): Promise<string> {
  let problem = "";
  const query = new URLSearchParams({
    ...{ watch: "true", labelSelector: selector, resourceVersion, timeoutSeconds: String(watchSeconds) },
  });
  const child = startChild({
    command: "kubectl",
    args: [...kubectl.where, "get", "--raw", `/api/v1/namespaces/${kubectl.namespace}/pods?${query}`],
    env: process.env as Record<string, string>,
    onStdout: (line) => take(JSON.parse(line)),
    onStderr: (line) => {
      problem = line;
    },
  });
  const end = () => child.kill("SIGTERM");
  signal.addEventListener("abort", end);
  if (signal.aborted) end();
  const { code } = await child.exited;
  signal.removeEventListener("abort", end);
  return code === 0 || signal.aborted ? "" : problem;
}
