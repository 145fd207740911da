import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { programEnv } from "@grpc-lb/program/testing";

export const main = `${import.meta.dirname}/../src/main.ts`;

/** A running `apps/compare`. */
export interface ComparePage {
  readonly url: string;
  readonly stdout: readonly string[];
  readonly stderr: readonly string[];
  readonly pid: number;
  write(input: Readonly<Record<string, unknown>>): void;
  endInput(): void;
  stop(): Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
}

/** Starts `apps/compare` and waits until it serves. `port` 0 is a free one. */
export async function startComparePage(port = 0, args: readonly string[] = []): Promise<ComparePage> {
  const child = spawn(process.execPath, [main, "--port", String(port), ...args], { env: programEnv() });
  const exited = once(child, "exit");
  const [stdout, stderr]: [string[], string[]] = [[], []];
  const lines = createInterface({ input: child.stdout }).on("line", (line) => stdout.push(line));
  createInterface({ input: child.stderr }).on("line", (line) => stderr.push(line));
  const ended = exited.then(() => Promise.reject(new Error(`compare has ended: ${stderr.join("\n")}`)));
  ended.catch(() => {}); // counts only until it serves
  await Promise.race([once(lines, "line"), ended]);
  const { url } = JSON.parse(stdout[0] ?? "");
  return {
    ...{ url, stdout, stderr, pid: child.pid ?? 0 },
    write: (input) => void child.stdin.write(`${JSON.stringify(input)}\n`),
    endInput: () => void child.stdin.end(),
    async stop() {
      child.kill("SIGTERM");
      const [code, signal] = await exited;
      return { code, signal };
    },
  };
}
