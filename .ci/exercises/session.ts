/** The shell commands of one exercise, and the proof that none of their processes is left. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Step } from "./exercise.ts";
import { findMismatch } from "./shape.ts";

/** The most that is kept of an output. */
const maxOutputLength = 1_000_000;
/** How long a background command has to end after SIGTERM, as the server drains for 20 s at most. */
const endMs = 25_000;
/** How long a process may outlive the command that started it. */
const graceMs = 2_000;
const repeatMs = 1_000;
const marker = "GRPC_LB_EXERCISE";

/** How a step went: its output, and what was wrong with it. */
export interface StepResult {
  readonly output: string;
  readonly failure: string | undefined;
}

export interface SessionOptions {
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Ends the commands. */
  readonly signal: AbortSignal;
}

interface Command {
  readonly child: ChildProcess;
  readonly output: () => string;
  /** Resolves with the exit code, null after a signal. */
  readonly ended: Promise<number | null>;
  /** Resolves when there is more output, or the command has ended. */
  readonly news: () => Promise<void>;
}

/** Runs steps one after the other. Every step has a shell of its own; background steps go on until {@link Session.end}. */
export class Session {
  readonly #id = randomUUID();
  readonly #options: SessionOptions;
  readonly #background: Command[] = [];

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  async run(step: Step): Promise<StepResult> {
    const deadline = AbortSignal.any([this.#options.signal, AbortSignal.timeout(step.deadlineMs)]);
    if (step.isBackground) return this.#runInBackground(step, deadline);
    for (;;) {
      const result = await this.#runToEnd(step, deadline);
      if (!step.isRepeated || result.failure === undefined || deadline.aborted) return result;
      await sleep(repeatMs, undefined, { signal: deadline }).catch(() => {}); // then the result above is the last
      if (deadline.aborted) return result;
    }
  }

  /**
   * Ends the background commands.
   *
   * @returns the command lines of processes that the exercise has left, which are killed; always none where there is no /proc
   */
  async end(): Promise<string[]> {
    await Promise.all(this.#background.map((command) => endCommand(command)));
    let left = this.#listProcesses();
    for (const limitMs = performance.now() + graceMs; left.length > 0 && performance.now() < limitMs; ) {
      await sleep(graceMs / 20);
      left = this.#listProcesses();
    }
    for (const { pid } of left) kill(pid, "SIGKILL");
    return left.map(({ command }) => command);
  }

  async #runToEnd(step: Step, deadline: AbortSignal): Promise<StepResult> {
    const command = this.#start(step.command);
    const stop = () => kill(-(command.child.pid ?? 0), "SIGKILL");
    deadline.addEventListener("abort", stop, { once: true });
    if (deadline.aborted) stop();
    const code = await command.ended;
    deadline.removeEventListener("abort", stop);
    const output = command.output();
    if (deadline.aborted) return { output, failure: `it did not end within ${step.deadlineMs / 1_000} s` };
    if (code !== step.exitCode) return { output, failure: `the exit code must be ${step.exitCode}, got ${code}` };
    return { output, failure: compare(step, output) };
  }

  async #runInBackground(step: Step, deadline: AbortSignal): Promise<StepResult> {
    const command = this.#start(step.command);
    this.#background.push(command);
    const late = once(deadline, "abort");
    for (;;) {
      const failure = compare(step, command.output());
      if (failure === undefined) return { output: command.output(), failure };
      const { exitCode, signalCode } = command.child;
      if (deadline.aborted || exitCode !== null || signalCode !== null) return { output: command.output(), failure };
      await Promise.race([command.news(), late]);
    }
  }

  /** The command in a process group of its own, with both outputs in one, as in a terminal. */
  #start(text: string): Command {
    const child = spawn("bash", ["-c", `exec 2>&1\nset -e\n${text}`], {
      cwd: this.#options.folder,
      env: { ...this.#options.env, [marker]: this.#id },
      detached: true,
      stdio: ["ignore", "pipe", "ignore"],
    });
    let output = "";
    let { promise, resolve } = Promise.withResolvers<void>();
    const notify = () => {
      resolve();
      ({ promise, resolve } = Promise.withResolvers<void>());
    };
    child.stdout?.setEncoding("utf8").on("data", (data: string) => {
      output = (output + data).slice(-maxOutputLength);
      notify();
    });
    // A process that the command leaves may hold the pipe open, so the end is that of the shell.
    const closed = once(child, "close");
    const ended = once(child, "exit").then(async ([code]) => {
      await Promise.race([closed, sleep(500)]);
      child.stdout?.destroy();
      notify();
      return code;
    });
    return { child, output: () => output, ended, news: () => promise };
  }

  #listProcesses(): { readonly pid: number; readonly command: string }[] {
    if (!existsSync("/proc/self/environ")) return [];
    return readdirSync("/proc").flatMap((name) => {
      if (!/^\d+$/.test(name) || !readProc(name, "environ").includes(`${marker}=${this.#id}`)) return [];
      return [{ pid: Number(name), command: readProc(name, "cmdline").replaceAll("\0", " ").trim() }];
    });
  }
}

function compare({ output, isBackground }: Step, got: string): string | undefined {
  if (output === undefined) return undefined;
  // A background command prints more than the page shows.
  const mismatch = findMismatch(isBackground ? `${output.text}\n…` : output.text, got);
  if (!mismatch) return undefined;
  const expected = mismatch.expected === "" ? "no further line" : `"${mismatch.expected}"`;
  return `expected ${expected}, got ${mismatch.got === "" ? "no further line" : `"${mismatch.got}"`}`;
}

async function endCommand({ child, ended }: Command): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  kill(-(child.pid ?? 0), "SIGTERM");
  const isLate = await Promise.race([ended.then(() => false), sleep(endMs, true, { ref: false })]);
  if (isLate) kill(-(child.pid ?? 0), "SIGKILL");
  await ended;
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // it has ended already
  }
}

/** Empty for a process that has ended, or that is another user's. */
function readProc(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "latin1");
  } catch {
    return "";
  }
}
