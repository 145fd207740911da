import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";

type ExecFn = (command: string, args: string[], options: SpawnOptions) => ChildProcess;

/** The parts of client-node's KubeConfig and ExecAuth, private there, through which a plugin's process is reached. */
interface Authenticators {
  readonly authenticators?: readonly { execFn?: ExecFn }[];
}

/**
 * Has the exec plugin that `config` runs next end when `signal` is aborted. client-node would let it run, and with it this
 * process, for as long as it likes; if another version of it keeps its parts elsewhere, that is so again.
 *
 * @param isBackground whether the plugin does not keep this process alive
 */
export function endPluginBy(signal: AbortSignal, config: object, isBackground: boolean): void {
  const run: ExecFn = (command, args, options) => {
    const child = spawn(command, args ?? [], { ...options, stdio: ["ignore", "pipe", "pipe"] });
    const pipes = [child.stdout, child.stderr] as unknown as { destroy(): void; unref(): void }[];
    if (isBackground) for (const handle of [child, ...pipes]) handle.unref();
    const end = () => {
      child.kill();
      for (const pipe of pipes) pipe.destroy(); // what the plugin has started may hold their other ends
    };
    if (signal.aborted) end();
    signal.addEventListener("abort", end);
    child.once("close", () => signal.removeEventListener("abort", end));
    return child;
  };
  for (const one of (config as Authenticators).authenticators ?? []) if (one.execFn) one.execFn = run;
}
