import { ProgramError } from "@grpc-lb/program";
import type { ProcessGroup } from "./process-group.ts";

/** How a run with processes is cut short. */
export interface Stop {
  /** Aborted when the run is to end, and by `close`. */
  readonly aborted: AbortSignal;
  /** Gives what `work` gives, unless the run is stopped or a process ends before its time: then it rejects at once. */
  unlessStopped<T>(work: Promise<T>): Promise<T>;
  /** Ends every wait that was given `aborted`. */
  close(): void;
}

/**
 * Makes waits end when `signal` is aborted, with a ProgramError that says `message` (exit code 130, for SIGTERM 143), or when
 * the group breaks, with the group's own error.
 */
export function createStop(signal: AbortSignal, group: ProcessGroup, message: string): Stop {
  const ending = new AbortController();
  const stopped = Promise.withResolvers<never>();
  stopped.promise.catch(() => {}); // aborted after the last wait
  const stop = () => {
    const exitCode = signal.reason === "SIGTERM" ? 143 : 130;
    stopped.reject(new ProgramError(message, { exitCode }));
  };
  if (signal.aborted) stop();
  else signal.addEventListener("abort", stop, { once: true });
  return {
    aborted: AbortSignal.any([signal, ending.signal]),
    unlessStopped: (work) => Promise.race([stopped.promise, group.broken, work]),
    close() {
      signal.removeEventListener("abort", stop);
      ending.abort();
    },
  };
}
