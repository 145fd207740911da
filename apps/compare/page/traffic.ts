import { podLook } from "./pod-look.ts";
import type { PageCall, PagePod } from "./protocol.ts";

interface Point {
  readonly x: number;
  readonly y: number;
}

/** Where the parts of a panel are, in CSS pixels of its stage. */
interface Places {
  readonly source: Point;
  /** The left and the right end of each connection; `any` stands for those that are not shown one by one. */
  readonly connections: ReadonlyMap<string, readonly [Point, Point]>;
  readonly pods: ReadonlyMap<string, Point>;
}

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
/** More dots than can be told apart. */
const maxDots = 600;

/** Draws every call as a dot that travels from the client over its connection to its pod, on one canvas per panel. */
export class Traffic {
  readonly #stages = new Map<number, Stage>();
  #pods = new Map<string, PagePod>();
  #dots: Dot[] = [];
  #frame = 0;
  #isRunning = false;
  /** The server's clock behind the page's, as the fastest delivery shows it. */
  #offsetMs = Number.POSITIVE_INFINITY;
  readonly #calm = matchMedia("(prefers-reduced-motion: reduce)");
  #look: ReturnType<typeof readLook> | undefined;

  constructor() {
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.#look = undefined;
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
      fitCanvas(stage);
      stage.places = undefined;
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
    this.#dots = this.#dots.filter((dot) => nowMs < dot.startMs + dot.travelMs);
    this.#look ??= readLook();
    const look = this.#look;
    for (const [client, stage] of this.#stages) {
      const context = stage.canvas.getContext("2d");
      if (!context) continue;
      const scale = devicePixelRatio;
      if (stage.isDrawn) context.clearRect(0, 0, stage.canvas.width, stage.canvas.height);
      stage.isDrawn = true;
      context.setTransform(scale, 0, 0, scale, 0, 0);
      stage.places ??= measure(stage.element);
      this.#drawLines(context, stage, stage.places, nowMs, look);
      for (const dot of this.#dots) {
        if (dot.client === client && nowMs >= dot.startMs) this.#drawDot(context, dot, stage.places, nowMs, look);
      }
    }
    this.#schedule();
  }

  #drawLines(context: CanvasRenderingContext2D, stage: Stage, places: Places, nowMs: number, look: Look): void {
    const isDense = places.pods.size > fewPods;
    context.strokeStyle = look.line;
    context.lineWidth = isDense ? 1 : 2;
    for (const [left] of places.connections.values()) curve(context, places.source, left);
    for (const [key, { connection, pod, atMs }] of stage.links) {
      const from = places.connections.get(connection)?.[1] ?? places.connections.get("any")?.[1];
      const to = places.pods.get(pod);
      if (nowMs - atMs > (isDense ? linkMs / 4 : linkMs) || !from || !to) stage.links.delete(key);
      else {
        context.strokeStyle = look.pods[podLook(this.#pods.get(pod)?.index ?? 0).colour] ?? look.line;
        context.globalAlpha = 0.45;
        curve(context, from, to);
        context.globalAlpha = 1;
      }
    }
  }

  #drawDot(context: CanvasRenderingContext2D, dot: Dot, places: Places, nowMs: number, look: Look): void {
    const ends = places.connections.get(dot.connection) ?? places.connections.get("any");
    if (!ends) return;
    const to = dot.pod === null ? undefined : places.pods.get(dot.pod);
    const at = along([places.source, ends[0], ends[1], to ?? ends[1]], (nowMs - dot.startMs) / dot.travelMs);
    const pod = dot.pod === null ? undefined : this.#pods.get(dot.pod);
    if (!pod) {
      cross(context, at, look.bad);
      return;
    }
    context.fillStyle = look.pods[podLook(pod.index).colour] ?? look.line;
    context.beginPath();
    context.arc(at.x, at.y, 7.5, 0, 2 * Math.PI);
    context.fill();
    context.fillStyle = look.badgeInk;
    context.fillText(pod.letter, at.x, at.y + 0.5);
  }
}

type Look = ReturnType<typeof readLook>;

/** The colours of the style sheet, which differ between dark and light. */
function readLook() {
  const styles = getComputedStyle(document.documentElement);
  const colour = (name: string) => styles.getPropertyValue(name).trim();
  return {
    line: colour("--line-strong"),
    bad: colour("--bad"),
    badgeInk: colour("--badge-ink"),
    pods: Array.from({ length: 6 }, (_, i) => colour(`--pod-${i}`)),
  };
}

function fitCanvas({ element, canvas }: Stage): void {
  canvas.width = Math.round(element.clientWidth * devicePixelRatio);
  canvas.height = Math.round(element.clientHeight * devicePixelRatio);
  const context = canvas.getContext("2d");
  if (!context) return;
  context.font = "bold 10px system-ui, sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
}

function measure(element: HTMLElement): Places {
  const origin = element.getBoundingClientRect();
  const ends = (part: Element): [Point, Point] => {
    const { left, right, top, height } = part.getBoundingClientRect();
    const y = top + height / 2 - origin.top;
    return [
      { x: left - origin.left, y },
      { x: right - origin.left, y },
    ];
  };
  const all = (name: string) =>
    [...element.querySelectorAll<HTMLElement>(`[data-${name}]`)].map(
      (part) => [part.dataset[name] ?? "", part] as const,
    );
  const [source] = all("source");
  return {
    source: source ? ends(source[1])[1] : { x: 0, y: 0 },
    connections: new Map(all("connection").map(([name, part]) => [name, ends(part)])),
    pods: new Map(all("pod").map(([name, part]) => [name, ends(part)[0]])),
  };
}

function curve(context: CanvasRenderingContext2D, from: Point, to: Point): void {
  const middle = (from.x + to.x) / 2;
  context.beginPath();
  context.moveTo(from.x, from.y);
  context.bezierCurveTo(middle, from.y, middle, to.y, to.x, to.y);
  context.stroke();
}

/** The point at a part of the way over the three legs, on the same curves as the lines. */
function along([source, left, right, pod]: readonly [Point, Point, Point, Point], part: number): Point {
  const legs = [
    [source, left, 0.4],
    [left, right, 0.2],
    [right, pod, 0.4],
  ] as const;
  let rest = Math.min(1, Math.max(0, part));
  for (const [from, to, share] of legs) {
    if (rest <= share) return onCurve(from, to, rest / share);
    rest -= share;
  }
  return pod;
}

function onCurve(from: Point, to: Point, t: number): Point {
  const middle = (from.x + to.x) / 2;
  const [a, b, c, d] = [(1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t ** 2, t ** 3];
  return { x: a * from.x + b * middle + c * middle + d * to.x, y: (a + b) * from.y + (c + d) * to.y };
}

function cross(context: CanvasRenderingContext2D, { x, y }: Point, colour: string): void {
  context.strokeStyle = colour;
  context.lineWidth = 3;
  context.beginPath();
  context.moveTo(x - 6, y - 6);
  context.lineTo(x + 6, y + 6);
  context.moveTo(x + 6, y - 6);
  context.lineTo(x - 6, y + 6);
  context.stroke();
}
