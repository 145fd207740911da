import type { Kubectl } from "../cluster/kubectl.ts";

/** Runs JavaScript in a pod whose image has Node, and returns what it prints. */
export function runScript(kubectl: Kubectl, pod: string, script: string): Promise<string> {
  return kubectl.run(["exec", pod, "--", "node", "-e", script]);
}

/** Writes a file in a pod, as a whole or not at all. Its text goes through stdin, because the arguments of a process are no secret. */
export async function putFile(kubectl: Kubectl, pod: string, path: string, text: string): Promise<void> {
  await kubectl.run(["exec", "-i", pod, "--", "sh", "-c", `cat > ${path}.new && mv ${path}.new ${path}`], {
    input: text,
  });
}
