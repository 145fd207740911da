import { AsyncLocalStorage } from "node:async_hooks";

/** The incoming call that code works for. */
export interface CallScope {
  /** When its client stops waiting, in milliseconds since 1970; Infinity without a deadline. */
  readonly deadlineMs: number;
  /** Aborted when the call is over before it was answered: cancelled, or its deadline has passed. */
  readonly signal: AbortSignal;
}

const storage = new AsyncLocalStorage<CallScope | undefined>();

/** Runs code for an incoming call. */
export const runInCall = (scope: CallScope, run: () => void): void => storage.run(scope, run);

/**
 * The incoming call that this code works for, where the server has `createServerDeadline`; undefined elsewhere. Give its signal to work
 * that should end with the call: `fetch(url, { signal: currentCall()?.signal })`.
 */
export const currentCall = (): CallScope | undefined => storage.getStore();

/** Runs code that goes on when the incoming call is over: its outgoing calls have neither the deadline of that call nor its end. */
export const runDetached = <Result>(run: () => Result): Result => storage.run(undefined, run);
