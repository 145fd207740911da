import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Block } from "./blocks.ts";

/** A whole program of a page. */
export interface Program {
  readonly block: Block;
  /** What the page says that it prints: the block of `text` right after it. */
  readonly output: string | undefined;
}

/** The blocks of a page that are whole programs. */
export function listPrograms(blocks: readonly Block[]): Program[] {
  return blocks.flatMap((block, at) => {
    if (!/\.(?:[mc]?js|ts)$/.test(block.file ?? "")) return [];
    const next = blocks[at + 1];
    return [{ block, output: next?.language === "text" ? `${next.text}\n` : undefined }];
  });
}

/** Writes all files of a page into a folder, which is emptied. @param change of each text */
export function writeFiles(folder: string, blocks: readonly Block[], change = (text: string) => text): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const { file, text } of blocks) if (file !== undefined) writeFileSync(join(folder, file), `${change(text)}\n`);
}

/** A program that is running. */
export interface Running {
  /** Resolves with the first line from now on that is accepted. @throws Error with the lines when the program ends before */
  line(accepts: (line: string) => boolean): Promise<string>;
  /** Resolves with what it printed, and its exit code. */
  readonly ended: Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>;
  end(): Promise<void>;
}

const limitMs = 20_000;

/** Runs a program of the documentation, with this Node and its cache, and else only the given environment. It is killed after 20 s. */
export function runProgram(
  folder: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Running {
  const { PATH, NODE_COMPILE_CACHE } = process.env;
  const child: ChildProcess = spawn(process.execPath, args, {
    cwd: folder,
    env: { PATH, ...(NODE_COMPILE_CACHE && { NODE_COMPILE_CACHE }), ...env },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: limitMs,
    killSignal: "SIGKILL",
  });
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  const notify = () => {
    for (const wake of waiting) wake();
  };
  let stderr = "";
  child.stderr?.on("data", (data) => {
    stderr += data;
  });
  if (!child.stdout) throw new Error("the program has no output");
  createInterface(child.stdout).on("line", (line) => {
    lines.push(line);
    notify();
  });
  let hasEnded = false;
  const ended = once(child, "close").then(([code]) => {
    hasEnded = true;
    notify();
    return { code, stdout: lines.map((line) => `${line}\n`).join(""), stderr };
  });
  return {
    async line(accepts) {
      for (let at = lines.length; ; ) {
        for (; at < lines.length; at += 1) if (accepts(lines[at] ?? "")) return lines[at] ?? "";
        if (hasEnded) throw new Error(`${args.join(" ")} has ended:\n${lines.join("\n")}\n${stderr}`);
        const { promise, resolve } = Promise.withResolvers<void>();
        waiting.add(resolve);
        await promise;
        waiting.delete(resolve);
      }
    },
    ended,
    async end() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
