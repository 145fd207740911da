import { join } from "node:path";
import type { Kubectl } from "../cluster/kubectl.ts";
import { root } from "../image/tag.ts";
import { until } from "./until.ts";

const name = "control-plane";

const bootstrapVariable = "GRPC_XDS_BOOTSTRAP_CONFIG";

/** The variable by which gRPC's own xDS client finds the control plane of its namespace, as the strategy `xds` has it. */
export async function readXdsBootstrap(kubectl: Kubectl): Promise<Readonly<Record<typeof bootstrapVariable, string>>> {
  const input = await kubectl.run(["kustomize", join(root, "k8s/overlays/xds")]);
  const path = `{.spec.template.spec.containers[0].env[?(@.name=="${bootstrapVariable}")].value}`;
  // With --local it is read without a server.
  const value = await kubectl.run(["label", "--local", "-f", "-", "read=yes", "-o", `jsonpath=${path}`], { input });
  return { [bootstrapVariable]: value };
}

/** Lets the deployed control plane read `services` from a ConfigMap, in place of its flags, and returns the name of its pod. */
export async function configureControlPlane(kubectl: Kubectl, services: object): Promise<string> {
  await kubectl.run(["create", "-f", "-"], { input: configMap(services) });
  const folder = "/etc/control-plane";
  const container = { name, args: [`--config=${folder}/services.json`], volumeMounts: [{ name, mountPath: folder }] };
  const pod = { containers: [container], volumes: [{ name, configMap: { name } }] };
  await kubectl.run([
    "patch",
    `deployment/${name}`,
    `--patch=${JSON.stringify({ spec: { template: { spec: pod } } })}`,
  ]);
  await kubectl.run(["rollout", "status", `deployment/${name}`, "--timeout=120s"]);
  return until("the old control plane to be gone", 60_000, async () => {
    const pods = await podsOf(kubectl);
    return pods.length === 1 ? { value: pods[0] ?? "" } : { seen: pods.join(", ") };
  });
}

/** When a change of the services was made, and when the control plane had it, by the cluster's clock. */
export interface ServicesChange {
  readonly editedMs: number;
  readonly configuredMs: number;
}

/** Changes the services in the ConfigMap, and waits until the control plane in `pod` has read them. */
export async function changeServices(kubectl: Kubectl, pod: string, services: object): Promise<ServicesChange> {
  const before = (await configuredTimes(kubectl, pod)).length;
  await kubectl.run(["replace", "-f", "-"], { input: configMap(services) });
  const editedMs = Date.now();
  return until("the control plane to read its configuration", 120_000, async () => {
    // The kubelet renews the files of a pod when the pod changes, and otherwise up to a minute later.
    await kubectl.run(["annotate", `pod/${pod}`, `grpc-lb.dev/touched=${Date.now()}`, "--overwrite"]);
    const times = await configuredTimes(kubectl, pod);
    const configuredMs = times.at(-1);
    const isNew = times.length > before && configuredMs !== undefined;
    return isNew ? { value: { editedMs, configuredMs } } : { seen: `${times.length} configurations` };
  });
}

/** The names of its pods, those that terminate too. */
export async function podsOf(kubectl: Kubectl): Promise<readonly string[]> {
  const { items } = await kubectl.get(["pods", "-l", `app=${name}`]);
  return items.map(({ metadata }: { metadata: { name: string } }) => metadata.name);
}

async function configuredTimes(kubectl: Kubectl, pod: string): Promise<readonly number[]> {
  const lines = (await kubectl.run(["logs", pod, "--tail=-1"])).split("\n").filter((line) => line.startsWith("{"));
  const configured = lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === "configured");
  return configured.map(({ time }) => Date.parse(time));
}

function configMap(services: object): string {
  const data = { "services.json": JSON.stringify({ services }) };
  return JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data });
}
