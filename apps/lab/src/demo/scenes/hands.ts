import { messageOf } from "@grpc-lb/core";
import type { Pod } from "../pods.ts";
import type { Action } from "./scene.ts";

/** The part of a PodFleet that keys change. */
export interface HandledFleet {
  /** All pods so far. */
  readonly pods: readonly Pod[];
  /** Those that were not ended, in the order in which they became ready. */
  readonly running: readonly Pod[];
  /** Whether a pod is frozen or slow. */
  isHeld(pod: Pod): boolean;
  act(action: Action): Promise<void>;
  recover(pod: Pod): Promise<void>;
}

/** The keys, for the line above the board. */
export const keysLine = "+ start  - drain  k kill  f freeze  s slow  r replace  o outage  ? help  q end";

const help = "k f s take the oldest pod, - the newest; f s o again undo it";

const noPod = "no pod is left for this; + starts one";

/** Each pod is a process or two of this machine. */
export const maxRunningPods = 12;

/** A key that is held down must not have effects minutes later. */
const maxWaiting = 3;

/**
 * Changes pods by keys, one change after the other, until `q`. When too many changes wait, a key is refused. A change that fails is
 * a note.
 */
export class Hands {
  readonly #fleet: HandledFleet;
  readonly #showNote: (text: string) => void;
  readonly #ended = Promise.withResolvers<void>();
  /** The change that is going on, and those that wait for it. */
  #work: Promise<void> | undefined;
  readonly #waiting: (() => Promise<void>)[] = [];
  /** The pods that were started so far, also those that failed to start. */
  #count: number;
  #frozen: Pod | undefined;
  #slow: Pod | undefined;
  #isAway = false;
  #hasEnded = false;

  /** @param showNote takes a sentence for the person at the keys */
  constructor(fleet: HandledFleet, showNote: (text: string) => void) {
    this.#fleet = fleet;
    this.#count = fleet.pods.length;
    this.#showNote = showNote;
  }

  /**
   * Resolves after `q`, when the change that is going on has ended; those that wait are dropped, and a rolling update ends with its
   * next pod.
   */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** Takes a key; one without a meaning shows the help. After `q` keys do nothing. */
  press(key: string): void {
    if (this.#hasEnded) return;
    if (key === "q") {
      this.#hasEnded = true;
      void Promise.resolve(this.#work).then(() => this.#ended.resolve());
      return;
    }
    const change = this.#changeOf(key);
    if (!change) this.#showNote(help);
    else if (this.#waiting.length >= maxWaiting) this.#showNote(`wait: ${maxWaiting} changes wait already`);
    else {
      this.#waiting.push(change);
      this.#work ??= this.#runWaiting();
    }
  }

  async #runWaiting(): Promise<void> {
    for (let change = this.#waiting.shift(); change && !this.#hasEnded; change = this.#waiting.shift()) {
      await change().catch((error: unknown) => this.#showNote(messageOf(error).replaceAll(/\s+/g, " ")));
    }
    this.#work = undefined;
  }

  #changeOf(key: string): (() => Promise<void>) | undefined {
    switch (key) {
      case "+":
        return () => this.#startOne();
      case "-":
        return () => this.#withPod(this.#free.at(-1), ({ podName }) => this.#end({ t: "drain", pods: [podName] }));
      case "k":
        return () => this.#withPod(this.#free[0], ({ podName }) => this.#end({ t: "kill", pod: podName }));
      case "f":
        return () => this.#toggleFreeze();
      case "s":
        return () => this.#toggleSlow();
      case "r":
        return () => this.#replaceAll();
      case "o":
        return () => this.#toggleOutage();
      default:
        return undefined;
    }
  }

  /** The pods that are neither frozen nor slow. */
  get #free(): readonly Pod[] {
    return this.#fleet.running.filter((pod) => !this.#fleet.isHeld(pod));
  }

  async #startOne(): Promise<void> {
    if (this.#fleet.running.length < maxRunningPods) await this.#start();
    else this.#showNote(`there are ${maxRunningPods} pods; - drains one`);
  }

  async #start(): Promise<void> {
    const name = `server-${++this.#count}`;
    this.#showNote(`${name} starts …`);
    await this.#fleet.act({ t: "start", pods: [name] });
    this.#showNote("");
  }

  async #withPod(pod: Pod | undefined, change: (pod: Pod) => Promise<void>): Promise<void> {
    if (pod) await change(pod);
    else this.#showNote(noPod);
  }

  /** One pod always stays, or the clients would have nothing to call. */
  async #end(action: Action): Promise<void> {
    if (this.#fleet.running.length > 1) await this.#fleet.act(action);
    else this.#showNote("the last pod stays; + starts another one");
  }

  async #toggleFreeze(): Promise<void> {
    const pod = this.#frozen;
    this.#frozen = undefined;
    if (pod) return this.#fleet.recover(pod);
    return this.#withPod(this.#free[0], async (oldest) => {
      this.#frozen = oldest;
      await this.#fleet.act({ t: "freeze", pod: oldest.podName });
    });
  }

  async #toggleSlow(): Promise<void> {
    const pod = this.#slow;
    this.#slow = undefined;
    if (pod) return this.#fleet.recover(pod);
    return this.#withPod(this.#free[0], async (oldest) => {
      this.#slow = oldest;
      await this.#fleet.act({ t: "slow", pod: oldest.podName });
    });
  }

  /** A rolling update of the pods that are neither frozen nor slow. */
  async #replaceAll(): Promise<void> {
    const pods = this.#free;
    if (pods.length === 0) this.#showNote(noPod);
    for (const { podName } of pods) {
      if (this.#hasEnded) return;
      await this.#start();
      await this.#fleet.act({ t: "drain", pods: [podName] });
    }
  }

  async #toggleOutage(): Promise<void> {
    this.#isAway = !this.#isAway;
    await this.#fleet.act({ t: this.#isAway ? "registry-away" : "registry-back" });
  }
}
