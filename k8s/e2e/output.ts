import type { Kubectl } from "../cluster/kubectl.ts";
import { runScript } from "./exec.ts";
import type { SecretSearch } from "./secret-search.ts";
import { until } from "./until.ts";

/** The paths of the admin port; `/faults` without its token is an error that others could see. */
const paths = ["metrics", "healthz", "readyz", "debug/endpoints", "faults"];

interface PodObject {
  readonly metadata: { readonly name: string; readonly deletionTimestamp?: string };
  readonly spec: {
    readonly containers: readonly {
      readonly name: string;
      readonly command?: readonly string[];
      readonly ports?: readonly { readonly name?: string }[];
      readonly volumeMounts?: readonly { readonly mountPath: string }[];
    }[];
  };
  readonly status: {
    readonly containerStatuses?: readonly { readonly ready: boolean; readonly restartCount: number }[];
  };
}

/** Where a pod has tokens: of an audience or of the token's own file, and of the API server. */
const tokenFolders = ["/var/run/secrets/grpc-lb", "/var/run/secrets/kubernetes.io/serviceaccount"];

/**
 * Adds the keys, passwords and tokens of the namespace's Secrets, also as base64, and the tokens that the kubelet has written into its pods. The
 * pods' programs have Node.
 */
export async function addSecrets(kubectl: Kubectl, search: SecretSearch): Promise<void> {
  for (const { metadata, data } of (await kubectl.get(["secrets"])).items) {
    for (const [key, value] of Object.entries<string>(data ?? {})) {
      if (key.endsWith(".crt")) continue;
      const name = `${key} of the Secret ${metadata.name}`;
      search.add(name, Buffer.from(value, "base64").toString());
      search.add(name, value);
    }
  }
  for (const { metadata, spec } of await runningPods(kubectl)) {
    const mounts = spec.containers.flatMap(({ volumeMounts = [] }) => volumeMounts.map(({ mountPath }) => mountPath));
    for (const folder of tokenFolders.filter((folder) => mounts.includes(folder))) {
      const script = `process.stdout.write(require("node:fs").readFileSync("${folder}/token", "utf8"))`;
      search.add(`token of ${metadata.name} in ${folder}`, await runScript(kubectl, `pod/${metadata.name}`, script));
    }
  }
}

/**
 * Reads what the programs of a namespace show, by its source: the log of every pod, also of the container before a restart; what its admin port
 * answers; the events; and every object but the Secrets.
 */
export async function readOutput(kubectl: Kubectl): Promise<ReadonlyMap<string, string>> {
  const texts = new Map<string, string>();
  const pods: readonly PodObject[] = (await kubectl.get(["pods"])).items;
  for (const { metadata, spec, status } of pods) {
    const from = `pod/${metadata.name}`;
    const log = await kubectl.try(["logs", from, "--all-containers", "--tail=-1"]);
    texts.set(`log of ${metadata.name}`, log.stdout);
    if (status.containerStatuses?.some(({ restartCount }) => restartCount > 0))
      texts.set(`previous log of ${metadata.name}`, await kubectl.run(["logs", from, "--previous", "--tail=-1"]));
    const hasAdmin = spec.containers.some(
      ({ command, ports = [] }) => !command && ports.some((p) => p.name === "admin"),
    );
    if (hasAdmin && isRunning({ metadata, spec, status }))
      texts.set(`admin port of ${metadata.name}`, await readAdmin(kubectl, from));
  }
  const kinds = "pods,deployments,replicasets,services,configmaps,endpointslices,serviceaccounts,events";
  texts.set("objects and events", await kubectl.run(["get", kinds, "-o", "json"]));
  return texts;
}

/** Every path of an admin port, with its status. */
function readAdmin(kubectl: Kubectl, pod: string): Promise<string> {
  const script = `
    const read = async (path) => {
      const answer = await fetch("http://127.0.0.1:9464/" + path);
      return "GET /" + path + " " + answer.status + "\\n" + (await answer.text());
    };
    Promise.all(${JSON.stringify(paths)}.map(read)).then((texts) => console.log(texts.join("\\n")));`;
  return until(`the admin port of ${pod}`, 60_000, async () => {
    const { code, stdout, problem } = await kubectl.try(["exec", pod, "--", "node", "-e", script]);
    return code === 0 ? { value: stdout } : { seen: problem };
  });
}

async function runningPods(kubectl: Kubectl): Promise<readonly PodObject[]> {
  return (await kubectl.get(["pods"])).items.filter(isRunning);
}

const isRunning = ({ metadata, status }: PodObject) =>
  metadata.deletionTimestamp === undefined && status.containerStatuses?.every(({ ready }) => ready) === true;
