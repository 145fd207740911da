import type { Kubectl } from "../cluster/kubectl.ts";

/** A button of the page, and what it does to the cluster. */
export interface ClusterAction {
  readonly name: string;
  readonly label: string;
  readonly key: string;
  readonly help: string;
  /** @returns what was wrong; empty when it was done */
  run(kubectl: Kubectl, pods: readonly string[]): Promise<string>;
}

/** The rights that the actions need. */
export const actionRights = [
  "get deployments.apps",
  "patch deployments.apps",
  "patch deployments.apps --subresource=scale",
  "delete pods",
];

const attempt = async (kubectl: Kubectl, args: readonly string[]) => {
  const { code, problem } = await kubectl.try(args);
  return code === 0 ? "" : problem;
};

/** Scales by reading first: nobody else is expected to scale at the same moment, and kubectl checks what it read. */
const scaleBy = (step: number) => async (kubectl: Kubectl) => {
  const { code, stdout, problem } = await kubectl.try([
    "get",
    "deployment",
    "server",
    "-o",
    "jsonpath={.spec.replicas}",
  ]);
  if (code !== 0) return problem;
  const current = Number(stdout);
  const next = current + step;
  if (next < 1) return "the last pod stays";
  return attempt(kubectl, ["scale", "deployment/server", `--current-replicas=${current}`, `--replicas=${next}`]);
};

/** What the page may do with ALLOW_ACTIONS=true. */
export const clusterActions: readonly ClusterAction[] = [
  { name: "scale-up", label: "+ pod", key: "+", help: "Scales the server up by one pod", run: scaleBy(1) },
  { name: "scale-down", label: "− pod", key: "-", help: "Scales the server down by one pod", run: scaleBy(-1) },
  {
    ...{ name: "delete-pod", label: "Delete pod", key: "k", help: "Deletes the pod that has been ready longest" },
    async run(kubectl, [oldest]) {
      return oldest === undefined ? "no pod is ready" : attempt(kubectl, ["delete", "pod", oldest, "--wait=false"]);
    },
  },
  {
    ...{ name: "restart", label: "Rollout restart", key: "r", help: "Replaces every pod, one after the other" },
    run: (kubectl) => attempt(kubectl, ["rollout", "restart", "deployment/server"]),
  },
  {
    ...{ name: "report", label: "Report connections", key: "c" },
    help: "Restarts the clients with EVENTS=true, so that they report times and connections",
    run: (kubectl) =>
      attempt(kubectl, ["set", "env", "deployment/client-http", "deployment/client-grpc", "EVENTS=true"]),
  },
];
