import { readdirSync, readFileSync } from "node:fs";

/** What processes have used. */
export interface Usage {
  /** Processor time since they started, in microseconds. */
  readonly cpuUs: number;
  readonly rssBytes: number;
}

/** What one process has used, and its parent. */
interface ProcessUsage extends Usage {
  readonly parent: number;
}

const ticksPerSecond = 100; // of /proc, on all architectures that Node supports
const pageBytes = 4_096;

/** Reads a line of Linux's /proc/<pid>/stat. https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
export function readStat(line: string): ProcessUsage {
  const fields = line.slice(line.lastIndexOf(")") + 2).split(" "); // the name of the program may have spaces
  const [parent = 0, user = 0, system = 0, pages = 0] = [1, 11, 12, 21].map((at) => Number(fields[at]));
  return { parent, cpuUs: ((user + system) / ticksPerSecond) * 1e6, rssBytes: pages * pageBytes };
}

/** The sum of several. */
export const sumUsage = (usages: readonly Usage[]): Usage => ({
  cpuUs: usages.reduce((sum, { cpuUs }) => sum + cpuUs, 0),
  rssBytes: usages.reduce((sum, { rssBytes }) => sum + rssBytes, 0),
});

/** What a process of this machine and its descendants have used. */
export function usageOf(pid: number): Usage {
  const all = new Map<number, ProcessUsage>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      all.set(Number(name), readStat(readFileSync(`/proc/${name}/stat`, "utf8")));
    } catch {
      // ENOENT: it has ended
    }
  }
  const family = [pid];
  for (const member of family) for (const [child, { parent }] of all) if (parent === member) family.push(child);
  return sumUsage(family.flatMap((member) => all.get(member) ?? []));
}
