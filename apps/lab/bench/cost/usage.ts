import { readdirSync, readFileSync } from "node:fs";

/** What processes have used. */
export interface Usage {
  /** Processor time since they started, in microseconds. */
  readonly cpuUs: number;
  readonly rssBytes: number;
}

const ticksPerSecond = 100; // of /proc, on all architectures that Node supports
const pageBytes = 4_096;

/** What a process and its descendants have used, from Linux's /proc. https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
export function usageOf(pid: number): Usage {
  const stats = new Map<number, readonly string[]>();
  for (const name of readdirSync("/proc")) {
    const stat = /^\d+$/.test(name) ? statOf(name) : undefined;
    if (stat) stats.set(Number(name), stat);
  }
  let [cpuUs, rssBytes] = [0, 0];
  const family = [pid];
  for (const member of family) {
    const stat = stats.get(member);
    if (!stat) continue;
    const [user, system, pages] = [11, 12, 21].map((at) => Number(stat[at])) as [number, number, number];
    cpuUs += ((user + system) / ticksPerSecond) * 1e6;
    rssBytes += pages * pageBytes;
    for (const [child, [, parent]] of stats) if (Number(parent) === member) family.push(child);
  }
  return { cpuUs, rssBytes };
}

/** The fields after the name of the program, which may have spaces; undefined when the process has ended. */
function statOf(pid: string): readonly string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}
