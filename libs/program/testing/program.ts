import { type Child, type ChildOptions, startChild } from "../src/child.ts";

/** A program of the suite that runs as a child process. */
export interface RunningProgram extends Child {
  readonly stdout: readonly string[];
  readonly stderr: readonly string[];
  /** Resolves with the first line of stdout or stderr, also of those already there, that `matches`; rejects when it ends before. */
  line(matches: (line: string) => boolean): Promise<string>;
}

/** What every program needs of this process's environment, and Node to start sooner where `make test` asks for that. */
function ownEnv(): Record<string, string> {
  const { PATH = "", NODE_COMPILE_CACHE } = process.env;
  return { PATH, ...(NODE_COMPILE_CACHE && { NODE_COMPILE_CACHE }) };
}

/** Starts `main`, a .ts file, with Node and nothing of this process's environment but PATH and NODE_COMPILE_CACHE. */
export function startProgram(main: string, args: readonly string[], env: Record<string, string> = {}): RunningProgram {
  return watchChild({
    command: process.execPath,
    args: [main, ...args],
    env: { ...ownEnv(), ...env },
  });
}

/** Starts any command and keeps its lines. */
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
          `${[options.command, ...options.args].join(" ")} ended without the line; it said:\n${[...stdout, ...stderr].join("\n")}`,
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

/** Runs `main` to its end. */
export async function runToEnd(main: string, args: readonly string[], env: Record<string, string> = {}) {
  const program = startProgram(main, args, env);
  const exit = await program.exited;
  return { ...exit, stdout: program.stdout, stderr: program.stderr };
}
