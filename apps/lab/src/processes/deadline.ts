import type { Clock } from "@grpc-lb/core";
import { ProgramError } from "@grpc-lb/program";

/** A limit on a wait, and the error when the limit is exceeded. */
export interface Deadline {
  readonly ms: number;
  readonly clock: Clock;
  /** Ends the wait early, with the same error. */
  readonly signal: AbortSignal;
  /** Returns the message of the error. */
  describe(): string;
}

/**
 * Waits for `work` until the deadline.
 *
 * @throws ProgramError (exit code 1) with the deadline's message when `work` does not settle in time
 */
export async function within<T>(deadline: Deadline, work: Promise<T>): Promise<T> {
  const settled = new AbortController();
  const expire = async (): Promise<never> => {
    await deadline.clock.sleep(deadline.ms, AbortSignal.any([deadline.signal, settled.signal]));
    throw new ProgramError(deadline.describe(), { exitCode: 1 });
  };
  try {
    return await Promise.race([work, expire()]);
  } finally {
    settled.abort();
  }
}
