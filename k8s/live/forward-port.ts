import { systemClock } from "@grpc-lb/core";
import { startChild } from "@grpc-lb/program";
import { type Kubectl, stop } from "../cluster/kubectl.ts";

/** What is forwarded, and who gets the address. */
export interface ForwardOptions {
  /** Such as `deployment/live`. */
  readonly to: string;
  readonly remotePort: number;
  /** The port on 127.0.0.1; 0 for a free one. */
  readonly port: number;
  /** Takes the address, once. */
  onUrl(url: string): void;
  /** Takes the reason whenever forwarding has ended and starts again. */
  warn(text: string): void;
  /** Ends it. */
  readonly signal: AbortSignal;
}

const retryMs = 1_000;

/**
 * Forwards a port of this machine into the cluster, until `signal` is aborted. When the pod is replaced or the connection to the
 * cluster breaks, kubectl ends, and another one takes its place, on the same port.
 *
 * Ends the program if the first one cannot listen or connect.
 */
export async function forwardPort(kubectl: Kubectl, options: ForwardOptions): Promise<void> {
  const { to, remotePort, onUrl, warn, signal } = options;
  let port = options.port;
  let lastProblem = "";
  for (let isServed = false; !signal.aborted; await systemClock.sleep(retryMs, signal)) {
    let problem = "";
    const child = startChild({
      command: "kubectl",
      args: [...kubectl.where, "port-forward", "--address=127.0.0.1", to, `${port || ""}:${remotePort}`],
      env: process.env as Record<string, string>,
      onStdout(line) {
        const [, found] = /^Forwarding from 127\.0\.0\.1:(\d+) /.exec(line) ?? [];
        if (found === undefined || isServed) return;
        port = Number(found);
        isServed = true;
        onUrl(`http://127.0.0.1:${port}`);
      },
      onStderr: (line) => {
        problem = line;
      },
    });
    const end = () => child.kill("SIGTERM");
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
    await child.exited;
    signal.removeEventListener("abort", end);
    if (signal.aborted) return;
    if (!isServed) stop(`kubectl port-forward: ${problem}`);
    if (problem !== lastProblem) warn(`the connection to the page ended and starts again: ${problem}`);
    lastProblem = problem;
  }
}
