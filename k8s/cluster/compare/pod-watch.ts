import { type Clock, systemClock } from "@grpc-lb/core";
import { startChild } from "@grpc-lb/program";
import type { Kubectl } from "../kubectl.ts";
import { type ApiServerPod, readyPods } from "../server-pods.ts";
import type { Changes } from "./changes.ts";

/** A pod of the server, as the watch shows it. */
export interface WatchedPod {
  readonly name: string;
  /** Whether it takes new calls. */
  readonly isReady: boolean;
  /** When this process read that it is ready; undefined before. */
  readonly readyAtMs: number | undefined;
  /** How often its containers have been started again. */
  readonly restarts: number;
}

/** The fields of a watch event that are used here. */
interface WatchEvent {
  readonly type: string;
  readonly object: ApiServerPod & {
    readonly status: { readonly containerStatuses?: readonly { readonly restartCount: number }[] };
  };
}

/** Follows the server's pods, from the output of `kubectl get pods --watch --output-watch-events -o json`. */
export class PodWatch {
  readonly #clock: Clock;
  readonly #changes: Changes;
  readonly #pods = new Map<string, WatchedPod>();

  constructor(changes: Changes, clock: Clock = systemClock) {
    this.#changes = changes;
    this.#clock = clock;
  }

  /** Adds a line of the output: an event. */
  add(line: string): void {
    const event: WatchEvent = JSON.parse(line);
    const { name } = event.object.metadata;
    if (event.type === "DELETED") this.#pods.delete(name);
    else {
      const isReady = readyPods([event.object]).length > 0;
      const readyAtMs = this.#pods.get(name)?.readyAtMs ?? (isReady ? this.#clock.now() : undefined);
      const counts = event.object.status.containerStatuses?.map(({ restartCount }) => restartCount) ?? [];
      this.#pods.set(name, { name, isReady, readyAtMs, restarts: counts.reduce((sum, count) => sum + count, 0) });
    }
    this.#changes.notify();
  }

  /** The pods that exist, also those that are terminating. */
  get all(): readonly WatchedPod[] {
    return [...this.#pods.values()];
  }

  /** The pods that take new calls, by name. */
  get ready(): readonly WatchedPod[] {
    return this.all.filter(({ isReady }) => isReady).sort((a, b) => (a.name < b.name ? -1 : 1));
  }
}

/** Feeds a watch from the cluster until `signal` is aborted. A watch that the cluster ends is an error. */
export async function watchPods(kubectl: Kubectl, watch: PodWatch, signal: AbortSignal): Promise<void> {
  let problem = "";
  const child = startChild({
    command: "kubectl",
    args: [...kubectl.where, "get", "pods", "-l", "app=server", "--watch", "--output-watch-events", "-o", "json"],
    env: process.env as Record<string, string>,
    onStdout: (line) => watch.add(line),
    onStderr(line) {
      problem = line;
    },
  });
  const end = () => child.kill("SIGTERM");
  signal.addEventListener("abort", end);
  if (signal.aborted) end();
  await child.exited;
  signal.removeEventListener("abort", end);
  if (!signal.aborted) throw new Error(`the watch of the server's pods ended: ${problem || "no reason given"}`);
}
