import type { Kubectl } from "../cluster/kubectl.ts";
import { listReadyServers } from "../cluster/server-pods.ts";
import { until } from "./until.ts";

/** The names of the server's pods that are ready now and not terminating. */
async function readyNow(kubectl: Kubectl): Promise<readonly string[]> {
  return (await listReadyServers(kubectl)).map(({ name }) => name);
}

/** Waits until all pods that the Deployment wants are ready: a pod that was frozen is ready again only after its next probe. */
export async function readyServers(kubectl: Kubectl): Promise<readonly string[]> {
  const { spec } = await kubectl.get(["deployment", "server"]);
  return readyServersOf(kubectl, spec.replicas);
}

/** Waits until the server has `count` ready pods: after an outage the cluster considers nodes lost for a while. */
export async function readyServersOf(kubectl: Kubectl, count: number): Promise<readonly string[]> {
  return until(`${count} ready servers`, 120_000, async () => {
    const ready = await readyNow(kubectl);
    return ready.length === count ? { value: ready } : { seen: `${ready.length} ready` };
  });
}

/** Scales the server and waits until exactly that many pods exist and are ready. */
export async function scaleServer(kubectl: Kubectl, replicas: number): Promise<readonly string[]> {
  await kubectl.run(["scale", "deployment/server", `--replicas=${replicas}`]);
  return until(`${replicas} ready servers`, 120_000, async () => {
    const { items } = await kubectl.get(["pods", "-l", "app=server"]);
    const ready = await readyNow(kubectl);
    const isThere = ready.length === replicas && items.length === replicas;
    return isThere ? { value: ready } : { seen: `${ready.length} ready of ${items.length}` };
  });
}

/** Restarts the rollout of the server and waits until the old pods are gone. */
export async function rolloutRestartServer(kubectl: Kubectl): Promise<readonly string[]> {
  const before = await readyServers(kubectl);
  await kubectl.run(["rollout", "restart", "deployment/server"]);
  await kubectl.run(["rollout", "status", "deployment/server", "--timeout=240s"]);
  return until("the old servers to be gone", 90_000, async () => {
    const { items } = await kubectl.get(["pods", "-l", "app=server"]);
    const ready = await readyNow(kubectl);
    const isNew = items.length === before.length && ready.every((pod) => !before.includes(pod));
    return isNew && ready.length === before.length ? { value: ready } : { seen: `${items.length} pods` };
  });
}

/**
 * The connections of client-grpc to the gRPC port of servers, as `local port → remote address`, from the kernel's table in its pod:
 * they prove that a connection is still the same one.
 */
export async function grpcConnections(kubectl: Kubectl): Promise<readonly string[]> {
  const script = `
    const rows = ["tcp", "tcp6"].flatMap((name) => {
      try { return require("node:fs").readFileSync("/proc/net/" + name, "utf8").split("\\n").slice(1); } catch { return []; }
    });
    const port = (30051).toString(16).toUpperCase();
    const open = rows.map((row) => row.trim().split(/\\s+/)).filter((c) => c[3] === "01" && c[2]?.endsWith(":" + port));
    console.log(open.map((c) => parseInt(c[1].split(":")[1], 16) + " → " + c[2]).join("\\n"));`;
  const stdout = await kubectl.run([
    "exec",
    "deployment/client-grpc",
    "--container",
    "client-grpc",
    "--",
    "node",
    "-e",
    script,
  ]);
  return stdout.split("\n").filter(Boolean);
}
