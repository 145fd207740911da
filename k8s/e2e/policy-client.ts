import type { Kubectl } from "../cluster/kubectl.ts";
import { type ClientSight, readCallLines } from "./client.ts";
import { until } from "./until.ts";

/** Variables of client-grpc by name: what one of several clients does otherwise than the one that was deployed. */
export type ClientEnv = Readonly<Record<string, string>>;

/**
 * Starts a pod with one client-grpc for each of `clients`, by name, as the Deployment client-grpc has it but for these variables.
 * A client with a COUNT ends by itself.
 */
export async function startClients(
  kubectl: Kubectl,
  pod: string,
  clients: Readonly<Record<string, ClientEnv>>,
): Promise<void> {
  const { template } = (await kubectl.get(["deployment", "client-grpc"])).spec;
  const [container] = template.spec.containers;
  const containers = Object.entries(clients).map(([name, env]) => {
    const kept = container.env.filter((variable: { name: string }) => !(variable.name in env));
    const given = Object.entries(env).map(([variable, value]) => ({ name: variable, value }));
    return { ...container, name, env: [...kept, ...given] };
  });
  const object = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: pod, labels: { app: "client-policies" } },
    spec: { ...template.spec, containers, restartPolicy: "Never" },
  };
  await kubectl.run(["create", "-f", "-"], { input: JSON.stringify(object) });
}

/** Everything that one of these clients has said, but for its policy. */
export async function readClientOf(kubectl: Kubectl, pod: string, client: string): Promise<ClientSight> {
  const { code, stdout, problem } = await kubectl.try(["logs", pod, "--container", client, "--tail=-1"]);
  if (code !== 0 && !/waiting to start|not found/.test(problem)) throw new Error(`kubectl logs ${pod}: ${problem}`);
  return readCallLines(stdout);
}

/** Waits until the client's newest `count` calls, all made after it was asked, are answered by these pods and no other. */
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
    return { seen: `${news.length} calls to ${reached || "nobody"}, ${errors.length} errors` };
  });
}

/** Waits until every client of the pod has made all its calls. */
export async function clientsToEnd(kubectl: Kubectl, pod: string): Promise<void> {
  await until(`the clients in ${pod} to end`, 90_000, async () => {
    const { phase } = (await kubectl.get(["pod", pod])).status;
    return phase === "Succeeded" || phase === "Failed" ? { value: true } : { seen: phase };
  });
}
