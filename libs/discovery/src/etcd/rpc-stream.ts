import type { ClientHttp2Stream, IncomingHttpHeaders } from "node:http2";
import { constants } from "node:http2";
import type { Method } from "./connection.ts";
import { Deframer, frame } from "./framing.ts";
import { code, RpcStatus } from "./rpc-status.ts";

/** One call: what is sent, what comes, and how it ended. */
export class RpcStream<Q, R> {
  readonly #stream: ClientHttp2Stream;
  readonly #method: Method<Q, R>;
  readonly #signal: AbortSignal;
  readonly #whyLost: () => Error | undefined;
  readonly #deframer = new Deframer();
  #pending: R[] = [];
  #end: { readonly status: RpcStatus | undefined } | undefined;
  #wake = () => {};

  /** @param whyLost what is known of the connection's end, which says more than that of the stream */
  constructor(
    stream: ClientHttp2Stream,
    method: Method<Q, R>,
    signal: AbortSignal,
    whyLost: () => Error | undefined,
  ) {
    this.#stream = stream;
    this.#method = method;
    this.#signal = signal;
    this.#whyLost = whyLost;
    stream.on("response", (headers) => {
      if (headers["grpc-status"] !== undefined) this.#finish(statusOf(headers)); // an answer that is trailers only
      else if (headers[":status"] !== 200) this.#finish(refusalOf(headers));
    });
    stream.on("trailers", (headers) => this.#finish(statusOf(headers)));
    stream.on("data", (chunk: Buffer) => this.#take(chunk));
    stream.on("error", (error) => this.#finish(this.#lost(error)));
    stream.on("close", () => {
      this.#signal.removeEventListener("abort", this.#abort);
      this.#finish(this.#lost(undefined));
    });
    signal.addEventListener("abort", this.#abort);
    if (signal.aborted) this.#abort();
  }

  send(request: Q): void {
    if (!this.#end && !this.#stream.closed) this.#stream.write(frame(this.#method.requestSerialize(request)));
  }

  /** Nothing more will be sent. */
  finish(): void {
    this.#stream.end();
  }

  /**
   * The messages that came since the last look, together. Ends when the call ended well, and throws its RpcStatus, or the
   * reason of the signal, when not.
   */
  async *batches(): AsyncGenerator<readonly R[], void, void> {
    try {
      for (;;) {
        // What came in one read of the socket comes as many events; a turn of the loop later it is all there.
        if (this.#pending.length > 0) await new Promise((resolve) => setImmediate(resolve));
        if (this.#signal.aborted) throw this.#signal.reason;
        const batch = this.#pending;
        if (batch.length > 0) {
          this.#pending = [];
          yield batch;
        } else if (this.#end) {
          if (this.#end.status) throw this.#end.status;
          return;
        } else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      }
    } finally {
      this.cancel();
    }
  }

  /** Ends the call, if it has not ended. */
  cancel(): void {
    if (!this.#stream.closed) this.#stream.close(constants.NGHTTP2_CANCEL);
  }

  readonly #abort = () => {
    this.cancel();
    this.#finish(new RpcStatus(code.cancelled, "given up"));
  };

  #take(chunk: Buffer): void {
    if (this.#end) return;
    try {
      for (const bytes of this.#deframer.push(chunk)) this.#pending.push(this.#method.responseDeserialize(bytes));
      this.#wake();
    } catch (cause) {
      this.cancel();
      const details = `what came is no answer: ${(cause as Error).message}`;
      this.#finish(cause instanceof RpcStatus ? cause : new RpcStatus(code.internal, details, { cause }));
    }
  }

  #lost(error: Error | undefined): RpcStatus {
    const cause = this.#whyLost() ?? error;
    return new RpcStatus(code.unavailable, cause?.message ?? "the server ended the call without a status", { cause });
  }

  /** The first end counts. */
  #finish(status: RpcStatus | undefined): void {
    this.#end ??= { status };
    this.#wake();
  }
}

function statusOf(headers: IncomingHttpHeaders): RpcStatus | undefined {
  const status = Number(headers["grpc-status"] ?? code.unknown);
  return status === code.ok ? undefined : new RpcStatus(status, decodeMessage(String(headers["grpc-message"] ?? "")));
}

/** Something that is not gRPC answered: a proxy, or another server (https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md). */
function refusalOf(headers: IncomingHttpHeaders): RpcStatus {
  const status = Number(headers[":status"]);
  const known: Readonly<Record<number, number>> = { 401: code.unauthenticated, 403: code.permissionDenied };
  return new RpcStatus(known[status] ?? code.unavailable, `HTTP status ${status}, which is no answer of gRPC`);
}

/** The message is percent-encoded (PROTOCOL-HTTP2.md, "Responses"); a broken one is shown as it came. */
function decodeMessage(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
