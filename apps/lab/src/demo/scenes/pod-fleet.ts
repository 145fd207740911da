import type { Clock } from "@grpc-lb/core";
import { Freezer } from "../../processes/freezer.ts";
import type { ProcessGroup } from "../../processes/process-group.ts";
import { membersOf, type Pod, pidsOf } from "../pods.ts";
import type { Action } from "./scene.ts";

/** What has happened to a pod or to the registries. */
export type HappeningKind =
  | "ready"
  | "start-failed"
  | "killed"
  | "frozen"
  | "slow"
  | "recovered"
  | "draining"
  | "unpublished"
  | "registry-away"
  | "registry-back";

/** Something that has happened, at a time of the clock. */
export interface Happening {
  readonly atMs: number;
  readonly what: HappeningKind;
  /** Undefined for the registries. */
  readonly pod?: string;
}

/** How long a cluster takes to notice that a process has exited, as the kubelet does, and that one does not answer its probe. */
const exitNoticeMs = 1_000;
const probeNoticeMs = 2_000;

/** What a fleet works with. */
export interface PodFleetOptions {
  readonly group: ProcessGroup;
  readonly clock: Clock;
  /** Ends the waits. */
  readonly signal: AbortSignal;
  /** Starts a pod and waits until it is ready. */
  start(name: string): Promise<Pod>;
  /** Publishes the pods in the Service and in every registry. */
  publish(pods: readonly Pod[]): Promise<void>;
  /** Takes the registries away, or brings them back. */
  setRegistryAway(isAway: boolean): Promise<void>;
  onHappening(happening: Happening): void;
  /** The processes of pods that were drained have exited. */
  onDrained?(podNames: readonly string[]): void;
}

/** The pods of a scene: starts, kills, freezes, slows and drains them, and publishes those that should be called. */
export class PodFleet {
  readonly #options: PodFleetOptions;
  readonly #freezer: Freezer;
  readonly #all = new Map<string, Pod>();
  /** In the order in which they became ready. */
  #published: readonly Pod[];
  /** The names of the pods that were killed or drained. */
  readonly #ended = new Set<string>();
  /** The frozen pods, each with its own freeze: the probes of an earlier one do not notice a later one. */
  readonly #freezes = new Map<Pod, symbol>();
  readonly #later = new Set<Promise<void>>();
  readonly #failed = Promise.withResolvers<never>();

  /** @param pods those that run and are published */
  constructor(pods: readonly Pod[], options: PodFleetOptions) {
    this.#options = options;
    this.#freezer = new Freezer(options);
    this.#published = pods;
    for (const pod of pods) this.#all.set(pod.podName, pod);
    this.#failed.promise.catch(() => {}); // not unhandled when it comes after the last wait
  }

  /** All pods so far, also those that are gone. */
  get pods(): readonly Pod[] {
    return [...this.#all.values()];
  }

  /** The names of their processes in the group. */
  get members(): readonly string[] {
    return [...this.#all.keys()].flatMap(membersOf);
  }

  /** The pods that clients should call. */
  get published(): readonly Pod[] {
    return this.#published;
  }

  /** The pods that were neither killed nor drained, in the order in which they became ready. */
  get running(): readonly Pod[] {
    return this.pods.filter(({ podName }) => !this.#ended.has(podName));
  }

  /** Whether a pod is frozen or slow. */
  isHeld(pod: Pod): boolean {
    return pidsOf(pod).some((pid) => this.#freezer.isHeld(pid));
  }

  /** Resolves when the action is done. What the cluster notices later goes on; see `settled`. */
  async act(action: Action): Promise<void> {
    switch (action.t) {
      case "start":
        await Promise.all(action.pods.map((name) => this.#start(name)));
        break;
      case "kill":
        await this.#kill(this.#named(action.pod));
        break;
      case "freeze":
        await this.#freeze(this.#named(action.pod));
        break;
      case "slow":
        await Promise.all(pidsOf(this.#named(action.pod)).map((pid) => this.#freezer.throttle(pid)));
        this.#happened("slow", action.pod);
        break;
      case "drain":
        await this.#drain(action.pods.map((name) => this.#named(name)));
        break;
      case "registry-away":
      case "registry-back":
        await this.#options.setRegistryAway(action.t === "registry-away");
        this.#happened(action.t);
        break;
    }
  }

  /** Ends `freeze` and `slow` of a pod, and publishes it again. */
  async recover(pod: Pod): Promise<void> {
    for (const pid of pidsOf(pod)) this.#freezer.thaw(pid);
    this.#freezes.delete(pod);
    this.#happened("recovered", pod.podName);
    if (!this.#published.includes(pod)) await this.#publish([...this.#published, pod]);
  }

  /** Resolves when the cluster has noticed everything, and drained pods have exited. */
  async settled(): Promise<void> {
    const all = async () => {
      while (this.#later.size > 0) await Promise.all(this.#later);
    };
    await Promise.race([all(), this.#failed.promise]);
  }

  /** Lets frozen pods go on, so that they can be stopped. */
  thawAll(): void {
    this.#freezes.clear();
    this.#freezer.thawAll();
  }

  #named(name: string): Pod {
    const pod = this.#all.get(name);
    if (!pod) throw new Error(`no pod is named ${name}`);
    return pod;
  }

  async #start(name: string): Promise<void> {
    const pod = await this.#options.start(name).catch(async (error: unknown) => {
      await Promise.all(membersOf(name).map((member) => this.#options.group.kill(member)));
      this.#happened("start-failed", name);
      throw error;
    });
    this.#all.set(name, pod);
    this.#happened("ready", name);
    await this.#publish([...this.#published, pod]);
  }

  async #kill(pod: Pod): Promise<void> {
    const killed = Promise.all(membersOf(pod.podName).map((name) => this.#options.group.kill(name)));
    this.#ended.add(pod.podName);
    this.#happened("killed", pod.podName);
    await killed;
    this.#afterwards(() => this.#noticeAfter(exitNoticeMs, pod, () => true));
  }

  async #freeze(pod: Pod): Promise<void> {
    await Promise.all(pidsOf(pod).map((pid) => this.#freezer.freeze(pid)));
    const freeze = Symbol(pod.podName);
    this.#freezes.set(pod, freeze);
    this.#happened("frozen", pod.podName);
    this.#afterwards(() => this.#noticeAfter(probeNoticeMs, pod, () => this.#freezes.get(pod) === freeze));
  }

  async #drain(pods: readonly Pod[]): Promise<void> {
    for (const { podName } of pods) {
      this.#ended.add(podName);
      this.#happened("draining", podName);
    }
    const names = pods.map(({ podName }) => podName);
    this.#afterwards(async () => {
      await this.#options.group.stop(names.flatMap(membersOf));
      this.#options.onDrained?.(names);
    });
    await this.#publish(this.#published.filter((pod) => !pods.includes(pod)));
  }

  /** Publishes the pod no more after a time, when it is then still away. */
  async #noticeAfter(ms: number, pod: Pod, isAway: () => boolean): Promise<void> {
    const { clock, signal } = this.#options;
    await clock.sleep(ms, signal);
    if (signal.aborted || !isAway() || !this.#published.includes(pod)) return;
    this.#happened("unpublished", pod.podName);
    await this.#publish(this.#published.filter((each) => each !== pod));
  }

  async #publish(pods: readonly Pod[]): Promise<void> {
    this.#published = pods;
    await this.#options.publish(pods);
  }

  #afterwards(work: () => Promise<void>): void {
    const done = work()
      .catch((error: unknown) => this.#failed.reject(error))
      .finally(() => this.#later.delete(done));
    this.#later.add(done);
  }

  #happened(what: HappeningKind, pod?: string): void {
    this.#options.onHappening({ atMs: this.#options.clock.now(), what, ...(pod !== undefined && { pod }) });
  }
}
