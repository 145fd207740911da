import { cross, curve, dot as drawDot, fitCanvas, type Look, readLook } from "./draw.ts";
import { along, measurePlaces, type Places } from "./places.ts";
import { podLook } from "./pod-look.ts";
import type { PageCall, PagePod } from "./protocol.ts";

/** A call on its way. */
interface Dot {
  readonly client: number;
  readonly connection: string;
  /** Null for a failed call. */
  readonly pod: string | null;
  readonly startMs: number;
  readonly travelMs: number;
}

interface Stage {
  readonly element: HTMLElement;
  readonly canvas: HTMLCanvasElement;
  places: Places | undefined;
  /** When a call last went between a connection and a pod, for the lines that are drawn. */
  readonly links: Map<string, { readonly connection: string; readonly pod: string; atMs: number }>;
  /** Whether something was drawn that must be wiped. */
  isDrawn: boolean;
}

/** A call takes some milliseconds, which nobody would see; a slow one travels longer. */
const travelMs = 650;
const slowest = 2_500;
/** How long a line stays without a call. */
const linkMs = 3_000;
/** With more pods lines are thin and short-lived, or nothing else is seen. */
const fewPods = 8;
/** More dots cannot be distinguished. */
const maxDots = 600;

/** Draws every call as a dot that travels from the client over its connection to its pod, on one canvas per panel. */
export class Traffic {
  readonly #stages = new Map<number, Stage>();
  #pods = new Map<string, PagePod>();
  #dots: Dot[] = [];
  #frame = 0;
  /** Ends the line that has been longest without a call, while no dot travels. */
  #lineEnd: ReturnType<typeof setTimeout> | undefined;
  #isRunning = false;
  /** The server's clock behind the page's, as the fastest delivery shows it. */
  #offsetMs = Number.POSITIVE_INFINITY;
  readonly #calm = matchMedia("(prefers-reduced-motion: reduce)");
  #look: Look | undefined;

  constructor() {
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.#look = undefined;
      this.#schedule();
    });
  }

  setPods(pods: readonly PagePod[]): void {
    this.#pods = new Map(pods.map((pod) => [pod.name, pod]));
  }

  /** Starts and stops the drawing. */
  setRunning(isRunning: boolean): void {
    this.#isRunning = isRunning;
    if (isRunning) this.#schedule();
    else {
      this.#dots = [];
      this.#offsetMs = Number.POSITIVE_INFINITY;
    }
  }

  /** Draws the calls of a client on a canvas. Returns what ends that. */
  attach(client: number, element: HTMLElement, canvas: HTMLCanvasElement): () => void {
    const stage: Stage = { element, canvas, places: undefined, links: new Map(), isDrawn: false };
    this.#stages.set(client, stage);
    const sizes = new ResizeObserver(() => {
      fitCanvas(element, canvas);
      stage.places = undefined;
      this.#schedule();
    });
    sizes.observe(element);
    return () => {
      sizes.disconnect();
      this.#stages.delete(client);
    };
  }

  /** The panel of a client was rendered: its parts may have moved. */
  layout(client: number): void {
    const stage = this.#stages.get(client);
    if (stage) stage.places = undefined;
    this.#schedule();
  }

  add(calls: readonly PageCall[]): void {
    const nowMs = performance.now();
    for (const { atMs } of calls) this.#offsetMs = Math.min(this.#offsetMs, nowMs - atMs);
    for (const { client, connection, pod, ms, atMs } of calls) {
      const stage = this.#stages.get(client);
      if (!stage) continue;
      const way = connection === null ? "any" : String(connection);
      if (pod !== null) stage.links.set(`${way} ${pod}`, { connection: way, pod, atMs: nowMs });
      if (this.#calm.matches || this.#dots.length >= maxDots) continue;
      // Calls arrive in batches; each starts when it has ended, and not with its batch.
      const startMs = Math.max(nowMs, atMs + this.#offsetMs + 100);
      this.#dots.push({ client, connection: way, pod, startMs, travelMs: Math.min(slowest, travelMs + 3 * (ms ?? 0)) });
    }
    this.#schedule();
  }

  #schedule(): void {
    if (this.#frame === 0 && this.#isRunning) this.#frame = requestAnimationFrame((nowMs) => this.#draw(nowMs));
  }

  #draw(nowMs: number): void {
    this.#frame = 0;
    clearTimeout(this.#lineEnd);
    this.#dots = this.#dots.filter((dot) => nowMs < dot.startMs + dot.travelMs);
    this.#look ??= readLook();
    const look = this.#look;
    let lineEndMs = Number.POSITIVE_INFINITY;
    for (const [client, stage] of this.#stages) {
      const context = stage.canvas.getContext("2d");
      if (!context) continue;
      const scale = devicePixelRatio;
      if (stage.isDrawn) context.clearRect(0, 0, stage.canvas.width, stage.canvas.height);
      stage.isDrawn = true;
      context.setTransform(scale, 0, 0, scale, 0, 0);
      stage.places ??= measurePlaces(stage.element);
      lineEndMs = Math.min(lineEndMs, this.#drawLines(context, stage, stage.places, nowMs, look));
      for (const dot of this.#dots) {
        if (dot.client === client && nowMs >= dot.startMs) this.#drawDot(context, dot, stage.places, nowMs, look);
      }
    }
    // Where nothing moves, a drawing for each frame of the screen would cost a laptop its battery.
    if (this.#dots.length > 0) this.#schedule();
    else if (lineEndMs < Number.POSITIVE_INFINITY)
      this.#lineEnd = setTimeout(() => this.#schedule(), lineEndMs - nowMs + 1);
  }

  /** Returns when the first of the lines ends, if no further call comes. */
  #drawLines(context: CanvasRenderingContext2D, stage: Stage, places: Places, nowMs: number, look: Look): number {
    const isDense = places.pods.size > fewPods;
    const keptMs = isDense ? linkMs / 4 : linkMs;
    let firstEndMs = Number.POSITIVE_INFINITY;
    context.strokeStyle = look.line;
    context.lineWidth = isDense ? 1 : 2;
    for (const [left] of places.connections.values()) curve(context, places.source, left);
    for (const [key, { connection, pod, atMs }] of stage.links) {
      const from = places.connections.get(connection)?.[1] ?? places.connections.get("any")?.[1];
      const to = places.pods.get(pod);
      if (nowMs - atMs > keptMs || !from || !to) stage.links.delete(key);
      else {
        firstEndMs = Math.min(firstEndMs, atMs + keptMs);
        context.strokeStyle = look.pods[podLook(this.#pods.get(pod)?.index ?? 0).colour] ?? look.line;
        context.globalAlpha = 0.45;
        curve(context, from, to);
        context.globalAlpha = 1;
      }
    }
    return firstEndMs;
  }

  #drawDot(context: CanvasRenderingContext2D, dot: Dot, places: Places, nowMs: number, look: Look): void {
    const ends = places.connections.get(dot.connection) ?? places.connections.get("any");
    if (!ends) return;
    const to = dot.pod === null ? undefined : places.pods.get(dot.pod);
    const at = along([places.source, ends[0], ends[1], to ?? ends[1]], (nowMs - dot.startMs) / dot.travelMs);
    if (dot.pod === null) {
      cross(context, at, look.bad);
      return;
    }
    const pod = this.#pods.get(dot.pod);
    const colour = (pod && look.pods[podLook(pod.index).colour]) ?? look.line;
    drawDot(context, at, { colour, ink: look.badgeInk, letter: pod?.letter ?? "?" });
  }
}
