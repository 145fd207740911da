import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { textFlag } from "@grpc-lb/program";
import { runCommand } from "../command.ts";
import { type BuiltImages, namesOf } from "../image/built.ts";
import { requireDocker } from "../image/docker.ts";
import { appNames, root } from "../image/tag.ts";
import { type ContextView, type Kubectl, stop } from "./kubectl.ts";

/** The flag that says where the sandbox's program is: SANDBOX. */
export const sandboxFlag = textFlag({
  help: "program that loads images into the cluster named sandbox",
  default: "../shared/sandbox/sandbox",
  metavar: "path",
});

/** A cluster on this machine, and the command that takes images to its nodes: null when they have them already. */
export interface LocalCluster {
  readonly what: string;
  readonly load: readonly string[] | null;
}

/**
 * Which cluster on this machine a context means, by the names that the makers of such clusters give to the cluster's entry,
 * which stay when a context is renamed; null for any other.
 */
export function localCluster(view: ContextView, sandbox: string): LocalCluster | null {
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

/** The current context's local cluster, ready to take images; ends the program when there is none or its tool is missing. */
export function requireLocalCluster({ view }: Kubectl, sandbox: string): LocalCluster {
  const program = resolve(root, sandbox);
  const cluster = localCluster(view, program);
  if (cluster === null) {
    stop(
      `context ${view["current-context"] ?? "(none)"} is no kind, minikube, k3d or sandbox cluster; give its nodes a registry ` +
        "instead: make docker-build docker-push kube-deploy IMAGE_PREFIX=registry.example.com/team/",
    );
  }
  const tool = cluster.load?.[0];
  if (tool === program && !existsSync(program))
    stop(`the sandbox's program is not at ${program}; say where: SANDBOX=path`);
  if (tool !== undefined && tool !== program && spawnSync(tool, ["version"], { stdio: "ignore" }).error)
    stop(`${tool} is needed to load images into ${cluster.what}; install it, or use a registry: IMAGE_PREFIX=…`);
  return cluster;
}

/**
 * The built images of all apps, under both their names, so that `kubectl apply -k k8s/base` finds them too; ends the program
 * when docker does not have one.
 */
export async function requireImages(built: BuiltImages, signal: AbortSignal): Promise<string[]> {
  const docker = await requireDocker(signal);
  const images: string[] = [];
  for (const { byContent, byVersion } of appNames.map((app) => namesOf(app, built))) {
    if (!(await docker.hasImage(byContent))) stop(`docker has no image ${byContent} any more; run: make docker-build`);
    await docker.run(["tag", byContent, byVersion], `docker could not tag ${byVersion}`); // another checkout may have had it
    images.push(byContent, byVersion);
  }
  return images;
}

/** Takes images from docker to the nodes. */
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
  if (code !== 0) stop(`${cluster.what} did not take the images:\n${stderr.trim()}`);
}
