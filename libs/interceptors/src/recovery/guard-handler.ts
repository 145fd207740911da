import type { ServerDuplexStream, ServerErrorResponse, ServerUnaryCall, sendUnaryData } from "@grpc/grpc-js";
import { withWellFormedDetails } from "../call/well-formed.ts";

/** Turns an error of a handler into what the client gets, and reports it. */
export type DescribeError = (error: unknown, method: string) => ServerErrorResponse;

/** A call of any kind; what depends on the kind is optional. */
type AnyCall = ServerUnaryCall<unknown, unknown> &
  Partial<Pick<ServerDuplexStream<unknown, unknown>, "destroyed" | "destroy" | "writableEnded" | "writableFinished">>;

/** A handler of any kind: those with a unary response have a callback. */
type AnyHandler = (call: AnyCall, respond?: sendUnaryData<unknown>) => unknown;

/** Wraps a handler so that its errors end the call as `describe` says, and nothing else. */
export function guardHandler(handler: AnyHandler, describe: DescribeError): AnyHandler {
  return (call, respond) => {
    const guard = new CallGuard(call, respond, describe);
    guard.watchListeners();
    guard.watchDestroy();
    try {
      const result = handler(call, respond && guard.respond);
      if (isThenable(result)) guard.follow(result);
    } catch (error) {
      guard.fail(error);
    }
  };
}

class CallGuard {
  readonly #call: AnyCall;
  readonly #respond: sendUnaryData<unknown> | undefined;
  readonly #describe: DescribeError;
  readonly #emit: AnyCall["emit"];
  #isAnswered = false;
  /** Whether the handler is an async function that has not returned. */
  #isPending = false;
  /** What the handler's stream was to be destroyed with when the handler left a `for await` loop. */
  #leftLoop: Error | undefined;

  constructor(call: AnyCall, respond: sendUnaryData<unknown> | undefined, describe: DescribeError) {
    this.#call = call;
    this.#respond = respond;
    this.#describe = describe;
    this.#emit = call.emit.bind(call);
  }

  /** Catches what a listener throws, and replaces errors without a status that the handler emits. */
  watchListeners(): void {
    const emit = this.#emit;
    this.#call.emit = (event: string | symbol, ...args: unknown[]) => {
      if (event === "error" && this.#respond === undefined) {
        const [error] = args;
        return emit(event, hasStatus(error) ? sendable(error) : this.#describe(error, this.#call.getPath()));
      }
      try {
        return emit(event, ...args);
      } catch (error) {
        this.fail(error);
        return true;
      }
    };
  }

  /** Takes the end of an async handler. */
  follow(result: PromiseLike<unknown>): void {
    this.#isPending = true;
    result.then(() => {
      this.#isPending = false;
      const { cancelled, destroyed, writableEnded } = this.#call;
      if (this.#leftLoop && !cancelled && !destroyed && !writableEnded) this.#call.emit("error", this.#leftLoop);
    }, this.fail);
  }

  /**
   * Ends a stream that the handler destroys, as `pipeline` does: grpc-js would leave the client without a status. A handler that leaves
   * `for await (const message of call)` destroys its stream without meaning to: it may still answer, or fail with a reason of its own.
   */
  watchDestroy(): void {
    const call = this.#call;
    const destroy = call.destroy?.bind(call) as ((error?: Error) => ServerDuplexStream<unknown, unknown>) | undefined;
    if (!destroy || this.#respond !== undefined) return;
    call.destroy = (error?: Error) => {
      if (call.cancelled || call.destroyed || call.writableFinished) return destroy(error);
      const isLoop = (error as NodeJS.ErrnoException | undefined)?.code === "ABORT_ERR";
      if (isLoop && this.#isPending) this.#leftLoop = error;
      else if (!call.writableEnded || (error && !isLoop)) call.emit("error", error ?? new Error(destroyed));
      return call as unknown as ServerDuplexStream<unknown, unknown>;
    };
  }

  /** The handler's callback. The first answer counts, as the second one of a handler that fails after it has answered. */
  readonly respond: sendUnaryData<unknown> = (error, ...answer) => {
    if (this.#isAnswered) return;
    if (error && !hasStatus(error)) {
      this.fail(error);
      return;
    }
    this.#isAnswered = true;
    this.#respond?.(error && sendable(error), ...answer);
  };

  readonly fail = (error: unknown): void => {
    const answer = this.#describe(error, this.#call.getPath());
    if (this.#respond) {
      if (this.#isAnswered) return;
      this.#isAnswered = true;
      this.#respond(answer);
    } else if (!this.#call.destroyed) {
      this.#emit("error", answer); // grpc-js ends the stream with it
    }
  };
}

const destroyed = "the handler has destroyed its stream before the end";

const sendable = (error: Partial<ServerErrorResponse>) => withWellFormedDetails(error, error.details ?? error.message);

/** Whether grpc-js would send it as the handler means it: an error with a status code other than OK. */
function hasStatus(error: unknown): error is Partial<ServerErrorResponse> {
  const { code } = (error ?? {}) as { readonly code?: unknown };
  return typeof code === "number" && Number.isInteger(code) && code > 0 && code <= 16;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
