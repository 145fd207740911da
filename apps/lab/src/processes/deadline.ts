import type { Clock } from "@grpc-lb/core";
import { ProgramError } from "@grpc-lb/program";

/** How long to wait for something, and what to say when it does not come. */
export interface Deadline {
  readonly ms: number;
  readonly clock: Clock;
  /** Ends the wait early, with the same error. */
  readonly signal: AbortSignal;
  /** The message of the error. */
  describe(): string;
}

/** Gives what `work` gives, or throws a ProgramError (exit code 1) when that takes too long. */
export async function within<T>(deadline: Deadline, work: Promise<T>): Promise<T> {
  const settled = new AbortController();
  const late = async (): Promise<never> => {
    await deadline.clock.sleep(deadline.ms, AbortSignal.any([deadline.signal, settled.signal]));
    throw new ProgramError(deadline.describe(), { exitCode: 1 });
  };
  try {
    return await Promise.race([work, late()]);
  } finally {
    settled.abort();
  }
}
