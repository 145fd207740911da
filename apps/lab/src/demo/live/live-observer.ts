import type { Pod } from "../pods.ts";
import type { Happening, HappeningKind } from "../scenes/pod-fleet.ts";
import type { SceneObserver } from "../scenes/run-scene.ts";
import { describeHappening } from "../scenes/views/describe-happening.ts";
import type { LivePage } from "./live-page.ts";

/** The state of a pod on the page after it happened; undefined if the state stays. */
const stateAfter: Readonly<Record<HappeningKind, string | undefined>> = {
  ready: "ready",
  "start-failed": "gone",
  killed: "gone",
  frozen: "frozen",
  slow: "slow",
  recovered: "ready",
  draining: "draining",
  unpublished: undefined,
  "registry-away": undefined,
  "registry-back": undefined,
};

/** Sends to the page what happens to the pods. Calls reach it as the clients' lines. */
export class LiveObserver implements SceneObserver {
  readonly #page: LivePage;

  constructor(page: LivePage) {
    this.#page = page;
  }

  onServing(pods: readonly Pod[]): void {
    for (const { podName } of pods) this.#setPod(podName, "ready");
  }

  onPublished(pods: readonly Pod[]): void {
    this.#page.send({ t: "endpoints", pods: pods.map(({ podName }) => podName) });
  }

  onStarting(podName: string): void {
    this.#setPod(podName, "added");
  }

  onDrained(podNames: readonly string[]): void {
    for (const name of podNames) this.#setPod(name, "gone");
  }

  onRunning(): void {
    this.#page.send({ t: "scene", text: "every client has made a call" });
  }

  onHappening(happening: Happening): void {
    const { what, pod } = happening;
    const state = stateAfter[what];
    if (pod !== undefined && state !== undefined) this.#setPod(pod, state);
    // That a pod is unpublished shows in the endpoints.
    if (pod === undefined || what === "killed") this.#page.send({ t: "scene", text: describeHappening(happening) });
  }

  onCall(): void {}

  onAfter(): void {}

  #setPod(pod: string, state: string): void {
    this.#page.send({ t: "pod", pod, state });
  }
}
