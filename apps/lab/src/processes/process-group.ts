import { join } from "node:path";
import { type Child, type ChildExit, ProgramError, startChild } from "@grpc-lb/program";

/** A program that runs as a child process. */
export interface GroupMember {
  /** What messages call it; no other member of its group has it. */
  readonly name: string;
  /** Its .ts file, when it is one of the suite. */
  readonly main?: string;
  /** Else a program on the PATH. */
  readonly command?: string;
  readonly args: readonly string[];
  /** Its environment, beside PATH. */
  readonly env?: Readonly<Record<string, string>>;
  readonly onStdout?: (line: string) => void;
  readonly onStderr?: (line: string) => void;
}

interface RunningMember {
  readonly child: Child;
  /** Ends it when this process is gone, where it cannot see to that itself. */
  readonly guard: Child | undefined;
  readonly lastWords: string[];
  isStopping: boolean;
}

const keptWords = 12;
const endWithParent = new URL("./exit-with-parent.ts", import.meta.url).href;
const killWithLab = join(import.meta.dirname, "watchdog.ts");

/** Node's command line for a program of the suite. */
const nodeArgs = (main: string, args: readonly string[]) => ["--import", endWithParent, main, ...args];

/**
 * Child processes that only make sense together. None is left behind: `stop` ends them, and whatever is left when this
 * process exits, for whatever reason, is killed.
 */
export class ProcessGroup {
  readonly #members = new Map<string, RunningMember>();
  readonly #broken = Promise.withResolvers<never>();
  readonly #killAll = () => {
    for (const { child, guard } of this.#members.values()) {
      child.kill("SIGKILL");
      guard?.kill("SIGKILL");
    }
  };

  readonly #graceMs: number;

  /** @param options.graceMs how long a member that was told to end may take before it is killed, 3 s by default */
  constructor(options: { readonly graceMs?: number } = {}) {
    this.#graceMs = options.graceMs ?? 3_000;
    this.#broken.promise.catch(() => {}); // a group that nobody watches any more may break
    process.on("exit", this.#killAll);
  }

  /** Rejects with a ProgramError (exit code 1) when a member ends that was not told to; never resolves. */
  get broken(): Promise<never> {
    return this.#broken.promise;
  }

  /** Starts a member with PATH and NODE_COMPILE_CACHE, and nothing else of this process's environment: flags may come from variables. */
  start(member: GroupMember): Child {
    if (this.#members.has(member.name)) throw new Error(`there is a member ${member.name} already`);
    const lastWords: string[] = [];
    const { main, command = process.execPath, args } = member;
    const { PATH = "", NODE_COMPILE_CACHE } = process.env;
    const env = { PATH, ...(NODE_COMPILE_CACHE && { NODE_COMPILE_CACHE }) };
    const keep = (line: string) => {
      lastWords.push(line);
      if (lastWords.length > keptWords) lastWords.shift();
    };
    const child = startChild({
      command,
      args: main === undefined ? args : nodeArgs(main, args),
      env: { ...env, ...member.env },
      onStdout: (line) => {
        if (main === undefined) keep(line); // a program of the suite complains on stderr alone
        member.onStdout?.(line);
      },
      onStderr: (line) => {
        keep(line);
        member.onStderr?.(line);
      },
    });
    const isGuarded = main === undefined && child.pid !== undefined;
    const guard = isGuarded
      ? startChild({ command: process.execPath, args: nodeArgs(killWithLab, [String(child.pid)]), env })
      : undefined;
    const running: RunningMember = { child, guard, lastWords, isStopping: false };
    this.#members.set(member.name, running);
    const end = (how: string) => {
      if (running.isStopping) return;
      const words = this.describeLastWords(member.name);
      this.#broken.reject(new ProgramError(`${member.name} ${how}; ${words}`, { exitCode: 1 }));
    };
    child.exited.then(
      (exit) => end(describeExit(exit)),
      (error: Error) => end(`could not be started: ${error.message}`),
    );
    return child;
  }

  /** The last lines that a member wrote to stderr, when it is none of the suite also to stdout, as the end of a message. */
  describeLastWords(name: string): string {
    const { lastWords: words = [], guard } = this.#members.get(name) ?? {};
    const where = guard ? "" : " on stderr";
    if (words.length === 0) return `it said nothing${where}`;
    return `its last words${where}:\n${words.map((line) => `  ${line}`).join("\n")}`;
  }

  /** Stops the members named, all by default, and resolves when they have ended: SIGTERM, then SIGKILL. */
  async stop(names: Iterable<string> = this.#members.keys()): Promise<void> {
    const stopping = [...names].flatMap((name) => this.#members.get(name) ?? []);
    for (const member of stopping) member.isStopping = true;
    // One that could not be started rejects, and has ended all the same.
    await Promise.allSettled(stopping.map(({ child }) => child.stop(this.#graceMs)));
    await Promise.all(stopping.map(({ guard }) => guard?.stop()));
  }

  /** Stops all members; after it the group holds nothing of this process. */
  async close(): Promise<void> {
    await this.stop();
    process.off("exit", this.#killAll);
  }
}

function describeExit({ code, signal }: ChildExit): string {
  return signal ? `was ended by ${signal}` : `ended with exit code ${code}`;
}
