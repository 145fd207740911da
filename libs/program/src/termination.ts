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

/** Under npm one Ctrl-C comes twice: from the terminal, and handed on by npm. Nobody presses it twice in that time. */
const sameKeyMs = 200;

/**
 * Listens for SIGTERM and SIGINT: the first aborts `signal`, so that the program can drain; the second exits at once with
 * the shell's code for it (143, 130), for whoever does not want to wait. Two SIGINTs within 200 ms are one.
 */
export function onTermination(): Termination {
  const controller = new AbortController();
  let interruptedMs = Number.NEGATIVE_INFINITY;
  const listen = (name: "SIGTERM" | "SIGINT") => {
    const isSameKey = name === "SIGINT" && performance.now() - interruptedMs < sameKeyMs;
    if (isSameKey) return;
    if (name === "SIGINT") interruptedMs = performance.now();
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
