import { execFileSync, spawnSync } from "node:child_process";
import type { Kubectl } from "../cluster/kubectl.ts";
import { sandboxProgram } from "../cluster/local.ts";

/** Runs the sandbox's program, which can stop the API server; undefined if the current context is another cluster. */
export async function findSandbox(kubectl: Kubectl): Promise<((...args: string[]) => void) | undefined> {
  const { stdout } = await kubectl.try(["config", "current-context"]);
  if (stdout.trim() !== "sandbox" || spawnSync(sandboxProgram, ["version"], { stdio: "ignore" }).error)
    return undefined;
  return (...args) => void execFileSync(sandboxProgram, args, { stdio: "ignore" });
}

/**
 * Signals a server's process without its kubelet: the sandbox's pods are processes of this machine. TERM and KILL end the process,
 * and the kubelet restarts it; STOP freezes it, and CONT resumes it.
 */
export function signalServer(pod: string, signal: "TERM" | "KILL" | "STOP" | "CONT"): void {
  execFileSync("pkill", [`-${signal}`, "-f", `pod-name=${pod}( |$)`]);
}
