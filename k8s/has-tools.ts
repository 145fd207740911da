import { join } from "node:path";
import { runCommand } from "./command.ts";
import { root } from "./image/tag.ts";

/**
 * Whether the machine has all that a target needs, a cluster that answers included; else writes one line for each missing tool, as
 * `make doctor FOR=…` shows it. A program calls it once its flags are checked, so that a wrong flag is reported before anything else.
 *
 * @param interruption ends the program: `runProgram`'s signal
 */
export async function hasTools(target: string, interruption: AbortSignal): Promise<boolean> {
  const args = [join(root, "k8s/doctor.sh"), "--for", target, "--quiet"];
  const { code, stderr } = await runCommand("/bin/sh", args, { interruption, doing: "the tools were looked for" });
  process.stderr.write(stderr);
  return code === 0;
}
