import { constants } from "node:os";

/** The request to end this process, from outside (a signal) or from inside (`abort`). */
export interface Termination {
  /** Aborted once, by the first SIGTERM or SIGINT or by `abort`; its reason is the name of the cause. */
  readonly signal: AbortSignal;
  /** Requests the end from inside: the reader of the output has gone away. */
  abort(reason: "EPIPE"): void;
  /** Restores Node's handling of the signals; `signal` stays as it is. */
  close(): void;
}

/** Under npm one Ctrl-C arrives twice: from the terminal and from npm. A person does not press it twice within this time. */
const sameKeyMs = 200;

/**
 * Listens for SIGTERM and SIGINT. The first aborts `signal`, so that the program can drain; the second exits at once with the
 * shell's code for it, 143 or 130. Two SIGINTs within 200 ms count as one.
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
