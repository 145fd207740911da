import { parseCallLine } from "@grpc-lb/verdict";
import type { Kubectl } from "../cluster/kubectl.ts";
import { until } from "./until.ts";

/** A client in the cluster, observed through `kubectl logs`. */
export type ClientName = "client-http" | "client-grpc";

/** The log of a client since its pod started. */
export interface ClientLog {
  /** The pod that answered, for each call, in order. */
  readonly calls: readonly string[];
  readonly errors: readonly string[];
  /** Lines that are neither; there must be none. */
  readonly others: readonly string[];
}

/** The whole log of a client, without the line of its policy. */
export async function readClient(kubectl: Kubectl, client: ClientName): Promise<ClientLog> {
  return readCallLines(await kubectl.run(["logs", `deployment/${client}`, "--container", client, "--tail=-1"]));
}

/** Parses the log of a client. */
export function readCallLines(text: string): ClientLog {
  const calls: string[] = [];
  const errors: string[] = [];
  const others: string[] = [];
  for (const line of text.split("\n").filter((line) => line !== "" && !line.startsWith("Policy: "))) {
    const parsed = parseCallLine(line);
    if (parsed?.t === "call") calls.push(parsed.pod);
    else if (parsed?.t === "error") errors.push(parsed.reason);
    else others.push(line);
  }
  return { calls, errors, others };
}

/** Waits until the client has made `count` more calls and returns them. */
export async function nextCalls(kubectl: Kubectl, client: ClientName, count: number): Promise<readonly string[]> {
  const before = (await readClient(kubectl, client)).calls.length;
  return until(`${count} calls of ${client}`, 90_000, async () => {
    const calls = (await readClient(kubectl, client)).calls.slice(before);
    return calls.length >= count ? { value: calls.slice(0, count) } : { seen: `${calls.length} calls` };
  });
}

/** Waits until client-grpc calls exactly these pods, and returns its next `count` calls. */
export async function callsToExactly(
  kubectl: Kubectl,
  pods: readonly string[],
  count: number,
): Promise<readonly string[]> {
  await until(`calls to ${pods.length} pods`, 60_000, async () => {
    const recent = new Set((await readClient(kubectl, "client-grpc")).calls.slice(-pods.length * 4));
    const isSame = recent.size === pods.length && pods.every((pod) => recent.has(pod));
    return isSame ? { value: true } : { seen: [...recent].join(", ") };
  });
  return nextCalls(kubectl, "client-grpc", count);
}

/** Waits for the first `count` calls of the client's pod and returns them. */
export async function firstCalls(kubectl: Kubectl, client: ClientName, count: number): Promise<readonly string[]> {
  return until(`${count} calls of ${client}`, 90_000, async () => {
    const { calls } = await readClient(kubectl, client);
    return calls.length >= count ? { value: calls.slice(0, count) } : { seen: `${calls.length} calls` };
  });
}

/** Calls by pod in words: `3 pods of 4: 17, 15, 18`. */
export function describeCalls(calls: readonly string[], pods: readonly string[]): string {
  const counts = [...pods, ...new Set(calls.filter((pod) => !pods.includes(pod)))].map(
    (pod) => calls.filter((call) => call === pod).length,
  );
  return `${calls.length} calls over ${counts.filter((count) => count > 0).length} of ${pods.length} pods (${counts.join(", ")})`;
}
