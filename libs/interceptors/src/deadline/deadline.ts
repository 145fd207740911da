import { type Interceptor, type ServerInterceptor, status } from "@grpc/grpc-js";
import { checkOptions, type OptionRules } from "@grpc-lb/core";
import { watchClientCall } from "../call/client-call.ts";
import { type ServerStatus, WatchedServerCall } from "../call/server-call.ts";
import { currentCall, runInCall } from "./call-scope.ts";

/** How an incoming deadline is passed on. */
export interface ClientDeadlineOptions {
  /**
   * How much earlier than the incoming call an outgoing one ends, in milliseconds, so that there is time for an answer. Default: 0, as
   * in gRPC for Java and Go.
   */
  readonly marginMs?: number | undefined;
}

const rules: OptionRules = {
  marginMs: (value) =>
    typeof value === "number" && value >= 0 && Number.isFinite(value) ? undefined : "must be a number >= 0",
};

/**
 * Creates a server interceptor that gives handlers, and all that they start, the deadline of their call (`currentCall`), and stops the
 * work of a call whose deadline is over or that was cancelled:
 *
 * - a call that arrives too late is answered DEADLINE_EXCEEDED, without its handler;
 * - outgoing calls of clients with `createClientDeadline` are cancelled;
 * - the signal of `currentCall()` is aborted.
 */
export function createServerDeadline(): ServerInterceptor {
  return (method, call) => {
    const controller = new AbortController();
    const deadlineMs = Number(call.getDeadline());
    const scope = { deadlineMs, signal: controller.signal };
    let isAnswered = false;
    return new WatchedServerCall(method, call, {
      onStart: () => (deadlineMs <= Date.now() ? tooLate : undefined),
      run: (enter) => runInCall(scope, enter),
      onEnd: ({ code }) => {
        isAnswered = code !== status.CANCELLED && code !== status.DEADLINE_EXCEEDED;
        if (!isAnswered) controller.abort(new Error(`the call has ended: ${status[code ?? status.CANCELLED]}`));
      },
    });
  };
}

const tooLate: ServerStatus = { code: status.DEADLINE_EXCEEDED, details: "Deadline exceeded before the call arrived" };

/**
 * Creates a client interceptor that gives an outgoing call the deadline of the incoming call that it is made for, minus a margin, unless
 * its own is earlier; and cancels it when the incoming call is over. It knows that call where the server has `createServerDeadline`;
 * `runDetached` makes calls that are independent of it.
 *
 * @throws TypeError for a margin that is not a number >= 0
 */
export function createClientDeadline(options: ClientDeadlineOptions = {}): Interceptor {
  checkOptions("createClientDeadline", options, rules);
  const { marginMs = 0 } = options;
  return (callOptions, nextCall) => {
    const scope = currentCall();
    if (!scope) return watchClientCall(nextCall(callOptions), { readsContext: false });
    const deadlineMs = Math.min(scope.deadlineMs - marginMs, Number(callOptions.deadline ?? Number.POSITIVE_INFINITY));
    const next = nextCall({ ...callOptions, ...(deadlineMs !== Number.POSITIVE_INFINITY && { deadline: deadlineMs }) });
    const cancel = () => next.cancelWithStatus(status.CANCELLED, "the call that this call was made for has ended");
    return watchClientCall(next, {
      readsContext: false,
      onStart: () => {
        if (scope.signal.aborted)
          queueMicrotask(cancel); // when the call has started
        else scope.signal.addEventListener("abort", cancel, { once: true });
      },
      onEnd: () => scope.signal.removeEventListener("abort", cancel),
    });
  };
}
