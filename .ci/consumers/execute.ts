import { type ExecFileException, execFile } from "node:child_process";

/** What a command did. */
export interface Outcome {
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ExecuteOptions {
  readonly folder: string;
  /** Added to PATH and HOME, which is all that a command gets of this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** After this time the command is killed. Default: 2 min. */
  readonly limitMs?: number;
}

/** Runs a command to its end, whatever its exit code is. */
export function outcomeOf(
  command: string,
  args: readonly string[],
  { folder, env, limitMs = 120_000 }: ExecuteOptions,
): Promise<Outcome> {
  const { PATH = "", HOME = "" } = process.env;
  const options = { cwd: folder, env: { PATH, HOME, ...env }, timeout: limitMs, killSignal: "SIGKILL" } as const;
  return new Promise((resolve) => {
    const done = (error: ExecFileException | null, stdout: string, stderr: string) => {
      const code = error?.killed ? `killed after ${limitMs} ms` : (error?.code ?? error?.signal ?? 0);
      resolve({ code, stdout, stderr });
    };
    execFile(command, args, { ...options, maxBuffer: 64 * 1024 * 1024 }, done);
  });
}

/** Runs a command to its end. @throws Error with its output when it fails */
export async function execute(command: string, args: readonly string[], options: ExecuteOptions): Promise<Outcome> {
  const outcome = await outcomeOf(command, args, options);
  if (outcome.code === 0) return outcome;
  const text = `${outcome.stdout}${outcome.stderr}`.trim();
  throw new Error(`in ${options.folder}: ${[command, ...args].join(" ")}: ${outcome.code}\n${text}`);
}
