import { constants } from "node:os";

/** A process's wish to end, from outside (a signal) or from within (`abort`). */
export interface Termination {
  /** Aborted once, by the first SIGTERM or SIGINT or by `abort`; its reason is the name of the cause. */
  readonly signal: AbortSignal;
  /** Wishes for the end from within: the reader of the output has gone away. */
  abort(reason: "EPIPE"): void;
  /** Gives the signals back to Node; `signal` stays as it is. */
  close(): void;
}

/**
 * Listens for SIGTERM and SIGINT: the first aborts `signal`, so that the program can drain; the second exits at once with
 * the shell's code for it (143, 130), for whoever does not want to wait.
 */
export function onTermination(): Termination {
  const controller = new AbortController();
  const listen = (name: "SIGTERM" | "SIGINT") => {
    if (controller.signal.aborted) process.exit(128 + constants.signals[name]);
    controller.abort(name);
  };
  process.on("SIGTERM", listen);
  process.on("SIGINT", listen);
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    close() {
      process.off("SIGTERM", listen);
      process.off("SIGINT", listen);
    },
  };
}
