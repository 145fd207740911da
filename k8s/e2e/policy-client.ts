import type { Kubectl } from "../cluster/kubectl.ts";
import { type ClientLog, readCallLines } from "./client.ts";
import { until } from "./until.ts";

/** Environment variables in which a client differs from the deployed client-grpc, by name. */
export type ClientEnv = Readonly<Record<string, string>>;

/**
 * Starts a pod with one container for each of `clients`, by name, like that of the Deployment client-grpc except for these
 * variables. A client with a TARGET has none of the Deployment's flags; one with a COUNT ends after that many calls.
 */
export async function startClients(
  kubectl: Kubectl,
  pod: string,
  clients: Readonly<Record<string, ClientEnv>>,
): Promise<void> {
  const { template } = (await kubectl.get(["deployment", "client-grpc"])).spec;
  const [container] = template.spec.containers;
  const containers = Object.entries(clients).map(([name, env]) => {
    // The containers of a pod share its ports.
    const changed: ClientEnv = { ADMIN_PORT: "", ...env };
    const kept = container.env.filter((variable: { name: string }) => !(variable.name in changed));
    const given = Object.entries(changed).map(([variable, value]) => ({ name: variable, value }));
    return { ...container, name, ...("TARGET" in env && { args: [] }), env: [...kept, ...given] };
  });
  const object = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: pod, labels: { app: "client-policies" } },
    spec: { ...template.spec, containers, restartPolicy: "Never" },
  };
  await kubectl.run(["create", "-f", "-"], { input: JSON.stringify(object) });
}

/** The whole log of one of these clients, without the line of its policy. */
export async function readClientOf(kubectl: Kubectl, pod: string, client: string): Promise<ClientLog> {
  const { code, stdout, problem } = await kubectl.try(["logs", pod, "--container", client, "--tail=-1"]);
  if (code !== 0 && !/waiting to start|not found/.test(problem)) throw new Error(`kubectl logs ${pod}: ${problem}`);
  return readCallLines(stdout);
}

/** Waits until exactly these pods answer the client's last `count` calls, all of them made after the start of the wait. */
export async function callsToBe(
  kubectl: Kubectl,
  pod: string,
  client: string,
  { count, pods }: { readonly count: number; readonly pods: readonly string[] },
): Promise<readonly string[]> {
  const wanted = [...pods].sort().join(", ");
  const before = (await readClientOf(kubectl, pod, client)).calls.length;
  return until(`calls of ${client} to ${wanted}`, 30_000, async () => {
    const { calls, errors } = await readClientOf(kubectl, pod, client);
    const news = calls.slice(before).slice(-count);
    const reached = [...new Set(news)].sort().join(", ");
    if (news.length === count && reached === wanted) return { value: news };
    return { seen: `${news.length} calls to ${reached || "no pod"}, ${errors.length} errors` };
  });
}

/** Waits until every client of the pod has made all its calls. */
export async function clientsToEnd(kubectl: Kubectl, pod: string): Promise<void> {
  await until(`the clients in ${pod} to end`, 90_000, async () => {
    const { phase } = (await kubectl.get(["pod", pod])).status;
    return phase === "Succeeded" || phase === "Failed" ? { value: true } : { seen: phase };
  });
}
