import { type Clock, messageOf } from "@grpc-lb/core";
import {
  type ApiClient,
  type Change,
  DiscoveryError,
  ListWatch,
  runWithRestarts,
} from "@grpc-lb/discovery/kubernetes/api";
import { describeServer, type Pod, readPod, type ServerPod } from "./pod.ts";

/** Where the pods are, and who takes their changes. */
export interface PodWatchOptions {
  readonly api: ApiClient;
  readonly namespace: string;
  readonly clock: Clock;
  /** Takes each change of a server's pod. */
  onServer(pod: ServerPod): void;
  /** Takes the reason while the pods cannot be read, and an empty text when they can again. */
  warn(text: string): void;
}

const selector = `labelSelector=${encodeURIComponent("app in (server,client-http,client-grpc)")}`;
/** The API server sends a bookmark about once a minute. */
const idleDeadlineMs = 100_000;

/** The pods of server and clients in a namespace, listed and watched. */
export class PodWatch {
  readonly #options: PodWatchOptions;
  readonly #pods = new Map<string, Pod>();
  readonly #servers = new Map<string, ServerPod>();

  constructor(options: PodWatchOptions) {
    this.#options = options;
  }

  /** All pods that are there. */
  get pods(): Iterable<Pod> {
    return this.#pods.values();
  }

  /** The server's pods that are there, the one that has its state longest first. */
  get servers(): readonly ServerPod[] {
    return [...this.#servers.values()];
  }

  /** Watches until `signal` is aborted, over failures and ends of the watch. */
  async run(signal: AbortSignal): Promise<void> {
    const { api, namespace, clock, warn } = this.#options;
    const watch = new ListWatch<Pod>(
      {
        ...{ api, selector, clock, idleDeadlineMs, random: Math.random, read: readPod, listKind: "PodList" },
        path: `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`,
        subject: `pods ${namespace}`,
      },
      {
        onList: (pods) => this.#takeList(pods),
        onChanges: (changes) => this.#takeChanges(changes),
        onWatch() {},
      },
    );
    const onFailure = (cause: unknown) => {
      warn(messageOf(cause));
      return cause instanceof DiscoveryError ? cause : new DiscoveryError("unavailable", messageOf(cause), { cause });
    };
    const attempt = (onHealthy: () => void, ending: AbortSignal) => watch.attempt(onHealthy, ending);
    await runWithRestarts({ attempt, onFailure, clock, random: Math.random }, signal);
  }

  #takeList(pods: readonly Pod[]): void {
    this.#options.warn("");
    const names = new Set(pods.map(({ name }) => name));
    for (const name of this.#pods.keys()) if (!names.has(name)) this.#remove(name);
    for (const pod of pods) this.#put(pod);
  }

  #takeChanges(changes: readonly Change<Pod>[]): void {
    this.#options.warn("");
    for (const { type, object } of changes) {
      if (type === "DELETED") this.#remove(object.name);
      else this.#put(object);
    }
  }

  #put(pod: Pod): void {
    this.#pods.set(pod.name, pod);
    if (pod.app !== "server") return;
    const before = this.#servers.get(pod.name);
    const now = describeServer(pod, before);
    if (now.state === "gone") this.#removeServer(pod.name);
    else if (before?.state !== now.state || before.node !== now.node) {
      this.#servers.delete(pod.name); // it becomes the last one
      this.#servers.set(pod.name, now);
      this.#options.onServer(now);
    }
  }

  #remove(name: string): void {
    this.#pods.delete(name);
    this.#removeServer(name);
  }

  #removeServer(name: string): void {
    const before = this.#servers.get(name);
    if (before === undefined) return;
    this.#servers.delete(name);
    this.#options.onServer({ ...before, state: "gone" });
  }
}
