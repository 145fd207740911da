import { ProgramError } from "@grpc-lb/program";
import type { ProcessGroup } from "./process-group.ts";

/** Ends the waits of a run when the user stops it or one of its processes fails. */
export interface Stop {
  /** Aborted when the run is stopped, and by `close`. */
  readonly aborted: AbortSignal;
  /** Waits for `work`; rejects at once when the run is stopped or a process of the group exits unexpectedly. */
  unlessStopped<T>(work: Promise<T>): Promise<T>;
  /** Aborts `aborted`, which ends every wait that uses it. */
  close(): void;
}

/**
 * Creates the Stop of one run.
 *
 * @param signal stops the run: waits reject with a ProgramError, exit code 143 for the reason SIGTERM, else 130
 * @param group fails the run: waits reject with the group's error
 * @param message the message of the ProgramError
 */
export function createStop(signal: AbortSignal, group: ProcessGroup, message: string): Stop {
  const closing = new AbortController();
  const stopped = Promise.withResolvers<never>();
  stopped.promise.catch(() => {}); // not unhandled when the abort comes after the last wait
  const stop = () => {
    const exitCode = signal.reason === "SIGTERM" ? 143 : 130;
    stopped.reject(new ProgramError(message, { exitCode }));
  };
  if (signal.aborted) stop();
  else signal.addEventListener("abort", stop, { once: true });
  return {
    aborted: AbortSignal.any([signal, closing.signal]),
    unlessStopped: (work) => Promise.race([stopped.promise, group.failed, work]),
    close() {
      signal.removeEventListener("abort", stop);
      closing.abort();
    },
  };
}
