import type { PageCall, PagePoint, PageState } from "./protocol.ts";

/** How the page is connected to the server. */
export type FeedState = "connecting" | "live" | "cut" | "paused";

/** Receives what the server sends. */
export interface FeedObserver {
  onFeed(state: FeedState): void;
  onState(state: PageState): void;
  onCalls(calls: readonly PageCall[]): void;
  onHistory(points: readonly PagePoint[]): void;
  onPoint(point: PagePoint): void;
}

/** The server sends twice a second. */
const silenceMs = 3_000;
/** The pause before the page connects again. */
const retryMs = 1_000;

/**
 * Reads the server's events. Pauses while the page is hidden or the person has paused it, and then holds no connection; a stream that
 * breaks or falls silent is closed and opened again until it works.
 */
export class Feed {
  readonly #observer: FeedObserver;
  #source: EventSource | undefined;
  #isPaused = false;
  #lastMs = 0;
  #retry = 0;

  constructor(observer: FeedObserver) {
    this.#observer = observer;
    document.addEventListener("visibilitychange", () => this.#update());
    setInterval(() => {
      if (this.#source && performance.now() - this.#lastMs > silenceMs) this.#cut();
    }, 500);
    this.#update();
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  setPaused(isPaused: boolean): void {
    this.#isPaused = isPaused;
    this.#update();
  }

  #update(): void {
    const isWanted = !this.#isPaused && !document.hidden;
    if (isWanted && !this.#source) this.#open();
    if (!isWanted) {
      this.#close();
      this.#observer.onFeed("paused");
    }
  }

  #open(): void {
    clearTimeout(this.#retry);
    this.#lastMs = performance.now();
    const source = new EventSource("/events");
    this.#source = source;
    const on = <T>(name: string, take: (data: T) => void) => {
      source.addEventListener(name, (event: MessageEvent<string>) => {
        this.#lastMs = performance.now();
        take(JSON.parse(event.data));
      });
    };
    on<PageState>("state", (state) => {
      this.#observer.onState(state);
      this.#observer.onFeed("live");
    });
    on<readonly PageCall[]>("calls", (calls) => this.#observer.onCalls(calls));
    on<readonly PagePoint[]>("history", (points) => this.#observer.onHistory(points));
    on<PagePoint>("point", (point) => this.#observer.onPoint(point));
    source.addEventListener("error", () => this.#cut());
  }

  #cut(): void {
    if (!this.#source) return;
    this.#close();
    this.#observer.onFeed("cut");
    this.#retry = setTimeout(() => this.#update(), retryMs);
  }

  #close(): void {
    clearTimeout(this.#retry);
    this.#source?.close();
    this.#source = undefined;
  }
}
