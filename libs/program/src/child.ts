import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** The command, arguments and environment of a child process, and who takes its lines. */
export interface ChildOptions {
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Whether its stdin is a pipe, for `writeLine`. Default: false, and it reads nothing. */
  readonly hasStdin?: boolean;
  /** Takes each line of stdout, without its line end. */
  readonly onStdout?: (line: string) => void;
  readonly onStderr?: (line: string) => void;
}

/** How a child process ended: with an exit code, or by a signal. */
export interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A child process whose output is read line by line. */
export interface Child {
  readonly pid: number | undefined;
  /** Resolves after the process has ended and its last line was delivered; rejects when it could not be started. */
  readonly exited: Promise<ChildExit>;
  kill(signal: NodeJS.Signals): void;
  /** Writes a line to its stdin. A line is dropped when the process does not read, and 4 MB wait, or has ended. */
  writeLine(line: string): void;
  /** Sends SIGTERM, and SIGKILL after `graceMs` (5 s); resolves when it has ended. */
  stop(graceMs?: number): Promise<ChildExit>;
}

const maxUnreadBytes = 4_000_000;

/** Starts a child process and delivers its output line by line; the last line too when it has no line end. */
export function startChild(options: ChildOptions): Child {
  const child: ChildProcess = spawn(options.command, options.args, {
    env: options.env,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdio: [options.hasStdin ? "pipe" : "ignore", "pipe", "pipe"],
  });
  child.stdin?.on("error", () => {}); // it has ended, which `exited` tells
  const readers = (["stdout", "stderr"] as const).map(async (name) => {
    const stream = child[name];
    if (!stream) return;
    const lines = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY });
    lines.on("line", (name === "stdout" ? options.onStdout : options.onStderr) ?? (() => {}));
    await once(lines, "close");
  });
  const exited = (async (): Promise<ChildExit> => {
    const [code, signal] = await once(child, "exit");
    await Promise.all(readers);
    return { code, signal };
  })();
  exited.catch(() => {}); // not unhandled: a child that nobody awaits must not end this process

  return {
    pid: child.pid,
    exited,
    kill: (signal) => void child.kill(signal),
    writeLine(line) {
      const { stdin } = child;
      if (stdin?.writable && stdin.writableLength < maxUnreadBytes) stdin.write(`${line}\n`);
    },
    async stop(graceMs = 5_000) {
      child.kill("SIGTERM");
      const force = setTimeout(() => child.kill("SIGKILL"), graceMs);
      try {
        return await exited;
      } finally {
        clearTimeout(force);
      }
    },
  };
}
