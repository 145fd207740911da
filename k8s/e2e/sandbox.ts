import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Kubectl } from "../cluster/kubectl.ts";
import { root } from "../image/tag.ts";

/** Where the sandbox's program is, if it is there at all. */
export const sandboxProgram = process.env.SANDBOX || join(root, "../shared/sandbox/sandbox");

/** The sandbox's own program, by which its API server can be stopped; undefined when the current context is another cluster. */
export async function findSandbox(kubectl: Kubectl): Promise<((...args: string[]) => void) | undefined> {
  const { stdout } = await kubectl.try(["config", "current-context"]);
  if (stdout.trim() !== "sandbox" || !existsSync(sandboxProgram)) return undefined;
  return (...args) => void execFileSync(sandboxProgram, args, { stdio: "ignore" });
}

/**
 * Signals a server's process, past its kubelet: the sandbox's pods are processes of this machine. TERM and KILL end it, and the
 * kubelet starts it again; STOP freezes it, and CONT lets it go on.
 */
export function signalServer(pod: string, signal: "TERM" | "KILL" | "STOP" | "CONT"): void {
  execFileSync("pkill", [`-${signal}`, "-f", `pod-name=${pod}( |$)`]);
}
