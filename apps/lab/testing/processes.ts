import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";

/** The processes that a process has started, by their ids. Linux only. */
export async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  return text.trim().split(" ").map(Number);
}

/** Whether a process runs, or is stopped; one that has ended and was not yet waited for (a zombie) does not. */
export function isAlive(pid: number): boolean {
  return !["Z", undefined].includes(stateOf(pid));
}

/** The letter that stands for a process's state, `T` when it is stopped; undefined when there is no such process. */
export function stateOf(pid: number): string | undefined {
  try {
    return /\) (\w) /.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1];
  } catch {
    return undefined; // ENOENT or ESRCH
  }
}

/** Nobody is told when the child of another process ends, so there is nothing to await but the fact. */
export async function untilDead(pids: readonly number[]): Promise<void> {
  while (pids.some(isAlive)) await new Promise((resolve) => setImmediate(resolve));
}
