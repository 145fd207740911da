import { spawnSync } from "node:child_process";
import { runCommand } from "../command.ts";
import { type BuiltImages, namesOf } from "../image/built.ts";
import { requireDocker } from "../image/docker.ts";
import { appNames } from "../image/tag.ts";
import { type ContextView, type Kubectl, stop } from "./kubectl.ts";

/**
 * The program that loads images into a cluster named `sandbox` and stops its components: a path from the environment variable
 * GRPC_LB_SANDBOX, else the command `sandbox`.
 */
export const sandboxProgram = process.env.GRPC_LB_SANDBOX || "sandbox";

/** A cluster on this machine, and the command that loads images into its nodes; null if the nodes use docker's images. */
export interface LocalCluster {
  readonly what: string;
  readonly load: readonly string[] | null;
}

/**
 * The cluster on this machine that a context refers to, or null. It is recognised by the name of the kubeconfig's cluster entry,
 * which kind, k3d and minikube choose and which stays when a context is renamed.
 */
export function localCluster(view: ContextView, sandbox = sandboxProgram): LocalCluster | null {
  const cluster = view.clusters?.[0];
  const names = [cluster?.name ?? "", view["current-context"] ?? ""];
  const named = (pattern: RegExp) => names.map((name) => pattern.exec(name)?.[1]).find((part) => part !== undefined);

  const kind = named(/^kind-(.+)$/);
  if (kind !== undefined)
    return { what: `kind cluster ${kind}`, load: ["kind", "load", "docker-image", "--name", kind] };
  const k3d = named(/^k3d-(.+)$/);
  if (k3d !== undefined) return { what: `k3d cluster ${k3d}`, load: ["k3d", "image", "import", "--cluster", k3d] };
  const byMinikube = cluster?.cluster?.extensions?.some(({ extension }) => extension?.provider?.startsWith("minikube"));
  const minikube = byMinikube ? cluster?.name : named(/^(minikube)$/);
  if (minikube !== undefined)
    return { what: `minikube ${minikube}`, load: ["minikube", "--profile", minikube, "image", "load"] };
  if (named(/^(sandbox)$/)) return { what: "the sandbox", load: [sandbox, "load"] };
  const shared = named(/^(docker-desktop|orbstack)$/);
  if (shared !== undefined) return { what: shared, load: null };
  return null;
}

/** The current context's local cluster; ends the program if the context is another cluster or the loading tool is missing. */
export function requireLocalCluster({ view }: Kubectl): LocalCluster {
  const cluster = localCluster(view);
  if (cluster === null) {
    stop(
      `context ${view["current-context"] ?? "(none)"} is not a kind, minikube or k3d cluster; push the images to a registry ` +
        "instead: make docker-build docker-push kube-deploy IMAGE_PREFIX=registry.example.com/team/",
    );
  }
  const tool = cluster.load?.[0];
  if (tool === undefined || !spawnSync(tool, ["version"], { stdio: "ignore" }).error) return cluster;
  if (tool === sandboxProgram)
    stop(`cannot run ${tool}, which loads images into the sandbox; set GRPC_LB_SANDBOX to its path`);
  stop(`${tool} is needed to load images into ${cluster.what}; install it, or use a registry: IMAGE_PREFIX=…`);
}

/**
 * The built images of all apps under both their names, so that `kubectl apply -k k8s/base` works too; ends the program if docker
 * lacks one.
 */
export async function requireImages(built: BuiltImages, signal: AbortSignal): Promise<string[]> {
  const docker = await requireDocker(signal);
  const images: string[] = [];
  for (const { byContent, byVersion } of appNames.map((app) => namesOf(app, built))) {
    if (!(await docker.hasImage(byContent)))
      stop(`docker no longer has the image ${byContent}; run: make docker-build`);
    await docker.run(["tag", byContent, byVersion], `docker could not tag ${byVersion}`); // another checkout may have moved it
    images.push(byContent, byVersion);
  }
  return images;
}

/** Loads images from docker into the nodes. */
export async function loadImages(
  cluster: LocalCluster,
  images: readonly string[],
  interruption: AbortSignal,
): Promise<void> {
  if (cluster.load === null) {
    process.stdout.write(`${cluster.what} uses docker's images; there is nothing to load\n`);
    return;
  }
  process.stdout.write(`loading ${images.join(" ")} into ${cluster.what}\n`);
  const [program = "", ...args] = cluster.load;
  const doing = "the images were loaded";
  const { code, stderr } = await runCommand(program, [...args, ...images], { show: true, interruption, doing });
  if (code !== 0) stop(`${cluster.what} did not load the images:\n${stderr.trim()}`);
}
