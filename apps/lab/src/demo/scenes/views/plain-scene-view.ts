import type { CallLine } from "@grpc-lb/verdict";
import { paint } from "../../../terminal/paint.ts";
import { describeSkipped, type SkippedStrategy } from "../../choose-strategies.ts";
import type { Strategy } from "../../strategies.ts";
import { renderCall } from "../../views/board-parts.ts";
import type { Happening } from "../pod-fleet.ts";
import type { SceneObserver } from "../run-scene.ts";
import type { Scene } from "../scene.ts";
import { describeHappening, sinceStart } from "./describe-happening.ts";
import { renderSceneResult, type SceneResult } from "./scene-table.ts";

const columns = 100;

/** Options of a PlainSceneView. */
export interface PlainSceneViewOptions {
  readonly scene: Pick<Scene, "name" | "summary">;
  readonly strategies: readonly Strategy[];
  readonly skipped: readonly SkippedStrategy[];
  write(text: string): void;
  now(): number;
}

/**
 * Prints a scene line by line and without escape codes, for pipes and log files: what happens, each client's first call on a
 * pod, and failed calls.
 */
export class PlainSceneView implements SceneObserver {
  readonly #options: PlainSceneViewOptions;
  readonly #nameWidth: number;
  /** What each client has called. */
  readonly #called = new Map<string, Set<string>>();
  #startMs: number | undefined;

  constructor(options: PlainSceneViewOptions) {
    this.#options = options;
    this.#nameWidth = Math.max(...options.strategies.map(({ name }) => name.length));
    const { name, summary } = options.scene;
    this.#options.write(`${name}: ${summary}\n`);
    for (const each of options.skipped) this.#options.write(`${describeSkipped([each])}\n`);
    this.#options.write("starting pods and clients\n\n");
  }

  onServing(): void {}

  onRunning(): void {
    this.#startMs = this.#options.now();
    this.#write("", "a call of each client has succeeded: the scene starts");
  }

  onHappening(happening: Happening): void {
    this.#write("", describeHappening(happening), happening.atMs);
  }

  onCall({ name }: Strategy, line: CallLine): void {
    if (line.t === "call") {
      const called = this.#called.get(name) ?? new Set();
      this.#called.set(name, called);
      if (called.has(line.pod)) return;
      called.add(line.pod);
    }
    this.#write(name, paint(renderCall(line, []), false));
  }

  onAfter(): void {
    this.#write("", "from now on calls count for the verdict");
  }

  showResult(result: SceneResult): void {
    for (const line of [[], ...renderSceneResult(result, { columns })]) this.#options.write(`${paint(line, false)}\n`);
  }

  close(): void {}

  #write(name: string, text: string, atMs = this.#options.now()): void {
    const time = sinceStart(atMs, this.#startMs ?? atMs).padStart(6);
    this.#options.write(`${time}  ${name.padEnd(this.#nameWidth)}  ${text}\n`);
  }
}
