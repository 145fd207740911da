import { type Child, type ChildOptions, startChild } from "../src/child.ts";

/** A program that runs as a child process. */
export interface RunningProgram extends Child {
  readonly stdout: readonly string[];
  readonly stderr: readonly string[];
  /** Resolves with the first line of stdout or stderr, past or future, that `matches`; rejects when the program ends without one. */
  line(matches: (line: string) => boolean): Promise<string>;
}

/** What a program needs of this process's environment; with NODE_COMPILE_CACHE it starts in half the time. */
export function programEnv(): Record<string, string> {
  const { PATH = "", NODE_COMPILE_CACHE } = process.env;
  return { PATH, ...(NODE_COMPILE_CACHE && { NODE_COMPILE_CACHE }) };
}

/** Starts `main`, a .ts file, with Node; of this process's environment it gets PATH and NODE_COMPILE_CACHE alone. */
export function startProgram(main: string, args: readonly string[], env: Record<string, string> = {}): RunningProgram {
  return watchChild({
    command: process.execPath,
    args: [main, ...args],
    env: { ...programEnv(), ...env },
  });
}

/** Starts a command and keeps its lines. */
export function watchChild(options: Omit<ChildOptions, "onStdout" | "onStderr">): RunningProgram {
  const stdout: string[] = [];
  const stderr: string[] = [];
  const watchers = new Set<() => void>();
  const take = (lines: string[]) => (line: string) => {
    lines.push(line);
    for (const watcher of [...watchers]) watcher();
  };
  const child = startChild({ ...options, onStdout: take(stdout), onStderr: take(stderr) });
  const line = async (matches: (line: string) => boolean) => {
    const find = () => [...stdout, ...stderr].find(matches);
    let hasEnded = false;
    const ended = child.exited.then(() => {
      hasEnded = true;
    });
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      if (hasEnded)
        throw new Error(
          `${[options.command, ...options.args].join(" ")} ended without the line; it wrote:\n${[...stdout, ...stderr].join("\n")}`,
        );
      let watcher = () => {};
      const next = new Promise<void>((resolve) => {
        watcher = resolve;
        watchers.add(watcher);
      });
      await Promise.race([next, ended]);
      watchers.delete(watcher);
    }
  };
  return { ...child, stdout, stderr, line };
}

/** Runs `main` to its end and returns its exit code and lines. */
export async function runToEnd(main: string, args: readonly string[], env: Record<string, string> = {}) {
  const program = startProgram(main, args, env);
  const exit = await program.exited;
  return { ...exit, stdout: program.stdout, stderr: program.stderr };
}
