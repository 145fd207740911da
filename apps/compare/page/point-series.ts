import type { PageHappening, PagePoint } from "./protocol.ts";

/** Two minutes. */
const maxPoints = 120;

/** A vertical line in the chart. */
export interface Mark {
  readonly atS: number;
  /** The letter of the pod. */
  readonly text: string;
}

/** The points of the chart, and the marks between them. */
export class PointSeries {
  #points: PagePoint[] = [];
  #marks: readonly Mark[] = [];
  #onChange: () => void = () => {};

  /** The moments at which the pods changed. */
  get marks(): readonly Mark[] {
    return this.#marks;
  }

  setHappenings(happenings: readonly PageHappening[]): void {
    const changes = happenings.filter(({ kind }) => kind === "pod" || kind === "scene");
    this.#marks = changes.map(({ atMs, kind, text }) => {
      return { atS: atMs / 1_000, text: kind === "pod" ? (/^[A-Z]+/.exec(text)?.[0] ?? "") : "▶" };
    });
  }

  replace(points: readonly PagePoint[]): void {
    this.#points = points.slice(-maxPoints);
    this.#onChange();
  }

  add(point: PagePoint): void {
    const last = this.#points.at(-1);
    if (last && point.atS <= last.atS) return; // the history had it
    this.#points.push(point);
    if (this.#points.length > maxPoints) this.#points.shift();
    this.#onChange();
  }

  /** @returns what ends the watch */
  watch(onChange: () => void): () => void {
    this.#onChange = onChange;
    return () => {
      this.#onChange = () => {};
    };
  }

  /** The seconds, and for each of `count` clients its calls a second; null before it was there. */
  columns(count: number): [number[], ...(number | null)[][]] {
    const seconds = this.#points.map(({ atS }) => atS);
    const clients = Array.from({ length: count }, (_, i) =>
      this.#points.map((point) => point.callsPerSecond[i] ?? null),
    );
    return [seconds, ...clients];
  }
}
