import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { until } from "@grpc-lb/core/testing";

/** The ids of the child processes of a process. Linux only. */
export async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  return text.trim().split(" ").map(Number);
}

/** Whether a process runs or is stopped. A zombie, which has exited and was not yet waited for, is not alive. */
export function isAlive(pid: number): boolean {
  return !["Z", undefined].includes(stateOf(pid));
}

/** The letter of a process's state in `/proc/PID/stat`, `T` when it is stopped; undefined when there is no such process. */
export function stateOf(pid: number): string | undefined {
  try {
    return /\) (\w) /.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1];
  } catch {
    return undefined; // ENOENT or ESRCH
  }
}

/** Resolves when none of the processes is alive. There is no event for the exit of another process's child, so this polls. */
export async function untilDead(pids: readonly number[]): Promise<void> {
  await until(() => !pids.some(isAlive), `processes ${pids.join(", ")} exit`);
}
