import { join } from "node:path";
import { messageOf } from "@grpc-lb/core";
import { type Child, type ChildExit, ProgramError, startChild } from "@grpc-lb/program";

/** A program that runs as a child process. */
export interface GroupMember {
  /** The name in error messages, unique in the group. */
  readonly name: string;
  /** The .ts file of a program of this repository. */
  readonly main?: string;
  /** Any other program, on the PATH. Ignored when `main` is given. */
  readonly command?: string;
  readonly args: readonly string[];
  /** The environment, in addition to PATH and NODE_COMPILE_CACHE. */
  readonly env?: Readonly<Record<string, string>>;
  /** Ends it when this process exits or is gone. Default: SIGKILL, which its own child processes would survive. */
  readonly lastSignal?: NodeJS.Signals;
  /** Whether it reads lines from `Child.writeLine`. Default: false. */
  readonly hasStdin?: boolean;
  readonly onStdout?: (line: string) => void;
  readonly onStderr?: (line: string) => void;
  /** Receives the error when it exits before `stop`. Default: {@link ProcessGroup.fail}. */
  readonly onEarlyExit?: (error: ProgramError) => void;
}

interface RunningMember {
  readonly child: Child;
  /** Ends the child when this process is gone. Only for a program that cannot preload `exit-with-parent.ts`. */
  readonly watchdog: Child | undefined;
  readonly lastSignal: NodeJS.Signals;
  readonly lastLines: string[];
  isStopping: boolean;
}

const keptLines = 12;
const exitWithParent = new URL("./exit-with-parent.ts", import.meta.url).href;

/** The program that sends a signal to a process when the lab is gone. Its arguments are the signal and the process id. */
export const watchdogMain = join(import.meta.dirname, "watchdog.ts");

const nodeArgs = (main: string, args: readonly string[]) => ["--import", exitWithParent, main, ...args];

/**
 * Child processes that are started and stopped together. None outlives this process: `stop` ends them, those still running when
 * this process exits are killed, and after a SIGKILL of this process they exit by themselves or their watchdog kills them.
 */
export class ProcessGroup {
  readonly #members = new Map<string, RunningMember>();
  readonly #failed = Promise.withResolvers<never>();
  readonly #graceMs: number;
  readonly #killAll = () => {
    for (const { child, watchdog, lastSignal } of this.#members.values()) {
      child.kill(lastSignal);
      watchdog?.kill("SIGKILL");
    }
  };

  /** @param options.graceMs the time between SIGTERM and SIGKILL, in milliseconds. Default: 3000 */
  constructor(options: { readonly graceMs?: number } = {}) {
    this.#graceMs = options.graceMs ?? 3_000;
    this.#failed.promise.catch(() => {}); // not unhandled when a member fails after the last wait
    process.on("exit", this.#killAll);
  }

  /** Rejects with a ProgramError (exit code 1) when a member without `onEarlyExit` exits before `stop`; never resolves. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  /**
   * Starts a member. Of this process's environment it inherits PATH and NODE_COMPILE_CACHE only, because each flag of a program
   * can also be set by an environment variable.
   *
   * @throws Error when the group already has a member of that name
   */
  start(member: GroupMember): Child {
    if (this.#members.has(member.name)) throw new Error(`a member named ${member.name} already exists`);
    const { main, command = process.execPath, args, lastSignal = "SIGKILL" } = member;
    const { PATH = "", NODE_COMPILE_CACHE } = process.env;
    const env = { PATH, ...(NODE_COMPILE_CACHE && { NODE_COMPILE_CACHE }) };
    const lastLines: string[] = [];
    const keep = (line: string) => {
      lastLines.push(line);
      if (lastLines.length > keptLines) lastLines.shift();
    };
    const child = startChild({
      command,
      args: main === undefined ? args : nodeArgs(main, args),
      env: { ...env, ...member.env },
      ...(member.hasStdin && { hasStdin: true }),
      onStdout: (line) => {
        if (main === undefined) keep(line); // the programs of this repository write errors to stderr only
        member.onStdout?.(line);
      },
      onStderr: (line) => {
        keep(line);
        member.onStderr?.(line);
      },
    });
    const needsWatchdog = main === undefined && child.pid !== undefined;
    const watchdog = needsWatchdog
      ? startChild({
          command: process.execPath,
          args: nodeArgs(watchdogMain, [lastSignal, String(child.pid)]),
          env,
        })
      : undefined;
    const running: RunningMember = { child, watchdog, lastSignal, lastLines, isStopping: false };
    this.#members.set(member.name, running);
    const fail = (what: string) => {
      if (running.isStopping) return;
      const message = `${member.name} ${what}; ${this.describeLastLines(member.name)}`;
      const error = new ProgramError(message, { exitCode: 1 });
      if (member.onEarlyExit) member.onEarlyExit(error);
      else this.fail(error);
    };
    child.exited.then(
      (exit) => fail(describeExit(exit)),
      (error: unknown) => fail(`could not be started: ${messageOf(error)}`),
    );
    return child;
  }

  /** Rejects `failed`. */
  fail(error: ProgramError): void {
    this.#failed.reject(error);
  }

  /** Quotes the last lines of a member for an error message: of stderr, and of stdout too when it has no `main`. */
  describeLastLines(name: string): string {
    const { lastLines = [], watchdog } = this.#members.get(name) ?? {};
    const stream = watchdog ? "output" : "stderr";
    if (lastLines.length === 0) return `${stream} is empty`;
    return `last lines of ${stream}:\n${lastLines.map((line) => `  ${line}`).join("\n")}`;
  }

  /** Stops members by SIGTERM, then SIGKILL; resolves when they have exited. Default: all members. */
  async stop(names: Iterable<string> = this.#members.keys()): Promise<void> {
    const stopping = [...names].flatMap((name) => this.#members.get(name) ?? []);
    for (const member of stopping) member.isStopping = true;
    // A member that could not be started rejects; it does not run, which is all that counts here.
    await Promise.allSettled(stopping.map(({ child }) => child.stop(this.#graceMs)));
    await Promise.all(stopping.map(({ watchdog }) => watchdog?.stop()));
  }

  /** The process of a member, undefined when there is none of that name. */
  pidOf(name: string): number | undefined {
    return this.#members.get(name)?.child.pid;
  }

  /** Sends a signal to a member. Does nothing when there is none of that name, or it has exited. */
  signal(name: string, signal: NodeJS.Signals): void {
    this.#members.get(name)?.child.kill(signal);
  }

  /** Kills a member by SIGKILL without failing the group; resolves when it has exited. */
  async kill(name: string): Promise<void> {
    const member = this.#members.get(name);
    if (!member) return;
    member.isStopping = true;
    member.child.kill("SIGKILL");
    await Promise.allSettled([member.child.exited, member.watchdog?.stop()]);
  }

  /** Stops all members and removes the group's exit listener. */
  async close(): Promise<void> {
    await this.stop();
    process.off("exit", this.#killAll);
  }
}

function describeExit({ code, signal }: ChildExit): string {
  return signal ? `was terminated by ${signal}` : `exited with code ${code}`;
}
