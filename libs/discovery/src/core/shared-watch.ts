import { Latest } from "./latest.ts";
import type { Snapshot } from "./snapshot.ts";

/** Looks until `signal` is aborted and publishes what it learns; when it has returned, no socket, timer or watcher is left. */
export type WatchRun = (latest: Latest<Snapshot>, signal: AbortSignal) => Promise<void>;

interface Running {
  readonly latest: Latest<Snapshot>;
  readonly controller: AbortController;
  readonly ended: Promise<void>;
  readers: number;
  /** What the run threw, which it should not. */
  failure: { readonly cause: unknown } | undefined;
}

/**
 * One watch for however many read a source: it begins with the first reader and ends with the last. Who comes after its end
 * begins another, which knows nothing of what was true then.
 */
export class SharedWatch {
  readonly #run: WatchRun;
  #running: Running | undefined;

  constructor(run: WatchRun) {
    this.#run = run;
  }

  /** For `endable`. Has returned, when it was the last reader, after the watch has ended. */
  async *read(signal: AbortSignal): AsyncGenerator<Snapshot, void, void> {
    this.#running ??= this.#begin();
    const running = this.#running;
    running.readers += 1;
    try {
      yield* running.latest.read(signal);
    } finally {
      running.readers -= 1;
      if (running.readers === 0) await this.#end(running);
    }
    if (running.failure && !signal.aborted) throw running.failure.cause;
  }

  #begin(): Running {
    const latest = new Latest<Snapshot>();
    const controller = new AbortController();
    const ended = this.#run(latest, controller.signal).catch((cause: unknown) => {
      running.failure = { cause };
      if (this.#running === running) this.#running = undefined;
      latest.close();
    });
    const running: Running = { latest, controller, ended, readers: 0, failure: undefined };
    return running;
  }

  async #end(running: Running): Promise<void> {
    if (this.#running === running) this.#running = undefined;
    running.controller.abort();
    await running.ended;
    running.latest.close();
  }
}
