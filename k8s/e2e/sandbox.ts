import { execFile, execFileSync, spawnSync } from "node:child_process";
import { promisify } from "node:util";
import type { Kubectl } from "../cluster/kubectl.ts";
import { sandboxProgram } from "../cluster/local.ts";

const run = promisify(execFile);

/**
 * Runs the sandbox's program, which can stop the API server; undefined if the current context is another cluster. It takes seconds,
 * in which this process goes on with its calls: a call whose answer waits behind a blocked event loop would miss its deadline.
 */
export async function findSandbox(kubectl: Kubectl): Promise<((...args: string[]) => Promise<void>) | undefined> {
  const { stdout } = await kubectl.try(["config", "current-context"]);
  if (stdout.trim() !== "sandbox" || spawnSync(sandboxProgram, ["version"], { stdio: "ignore" }).error)
    return undefined;
  return async (...args) => {
    await run(sandboxProgram, args);
  };
}

/**
 * Signals a server's process without its kubelet: the sandbox's pods are processes of this machine. TERM and KILL end the process,
 * and the kubelet restarts it; STOP freezes it, and CONT resumes it.
 */
export function signalServer(pod: string, signal: "TERM" | "KILL" | "STOP" | "CONT"): void {
  execFileSync("pkill", [`-${signal}`, "-f", `pod-name=${pod}( |$)`]);
}
