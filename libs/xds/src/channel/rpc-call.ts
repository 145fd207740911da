import { type ClientDuplexStream, type ServiceError, status } from "@grpc/grpc-js";
import { RpcStatus } from "./rpc-status.ts";

/** One call: what is sent, what comes in batches, and how it ended. */
export class RpcCall<Q, R> {
  readonly #call: ClientDuplexStream<Q, R>;
  readonly #signal: AbortSignal;
  readonly #onEnd: () => void;
  #pending: R[] = [];
  #end: { readonly error: unknown } | undefined;
  #wake = () => {};
  /** Of all who wait until the peer takes more; undefined while nobody waits. */
  #taken: PromiseWithResolvers<void> | undefined;

  /**
   * @param signal ends the call with its reason
   * @param onEnd called once
   */
  constructor(call: ClientDuplexStream<Q, R>, signal: AbortSignal, onEnd: () => void) {
    this.#call = call;
    this.#signal = signal;
    this.#onEnd = onEnd;
    call.on("data", (message: R) => {
      this.#pending.push(message);
      this.#wake();
    });
    call.on("error", (error: ServiceError) => this.#finish(new RpcStatus(error.code, error.details, { cause: error })));
    call.on("end", () => this.#finish(undefined));
    call.on("drain", () => this.#wakeSenders());
    signal.addEventListener("abort", this.#abort);
    if (signal.aborted) this.#abort();
  }

  /** Sends a request, or keeps it while the peer takes no more: who sends without an end waits for `taken` in between. */
  send(request: Q): void {
    if (!this.#end) this.#call.write(request);
  }

  /** Whether requests wait because the peer takes no more for now. */
  get isFull(): boolean {
    return !this.#end && this.#call.writableNeedDrain;
  }

  /** Resolves when no request waits any more, or the call has ended. A peer that never reads is waited for until then. */
  async taken(): Promise<void> {
    while (this.isFull) {
      this.#taken ??= Promise.withResolvers();
      await this.#taken.promise;
    }
  }

  /** Nothing more will be sent. */
  closeSending(): void {
    if (!this.#end) this.#call.end();
  }

  /** Ends the call, well or for this reason. */
  end(error?: unknown): void {
    this.#finish(error);
    this.#call.cancel();
  }

  /**
   * The messages that came since the last batch, together. Ends when the call ended well; throws its error otherwise. While a batch is
   * used, what comes next stays with the peer.
   */
  async *batches(): AsyncGenerator<readonly R[], void, void> {
    for (;;) {
      // What came in one read of the socket comes as many events; a turn of the loop later it is all there.
      if (this.#pending.length > 0 && !this.#end) await new Promise((resolve) => setImmediate(resolve));
      const batch = this.#pending;
      if (batch.length > 0 && !this.#signal.aborted) {
        this.#pending = [];
        this.#call.pause();
        yield batch;
        this.#call.resume();
      } else if (this.#end) {
        if (this.#end.error !== undefined) throw this.#end.error;
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  readonly #abort = () => this.end(this.#signal.reason ?? new RpcStatus(status.CANCELLED, "aborted"));

  /** The first end counts. */
  #finish(error: unknown): void {
    if (this.#end) return;
    this.#end = { error };
    this.#signal.removeEventListener("abort", this.#abort);
    this.#onEnd();
    this.#wake();
    this.#wakeSenders();
  }

  #wakeSenders(): void {
    this.#taken?.resolve();
    this.#taken = undefined;
  }
}
