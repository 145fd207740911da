import type { ClientHttp2Stream, IncomingHttpHeaders } from "node:http2";
import { constants } from "node:http2";
import { status } from "@grpc/grpc-js";
import { formatHostPort } from "@grpc-lb/core";

/** One attempt of a call: the first one, a retry or a hedge. */
export class Attempt {
  /** From 0. */
  readonly number: number;
  /** By `performance.now()`; the first attempt starts with its call. */
  readonly startedMs: number;
  /** When its response ended; undefined until then. */
  endedMs: number | undefined;
  /** What the server answered; undefined without an answer. */
  code: status | undefined;
  /** Whether a connection was picked for it. It is picked again when that connection goes away before the attempt is sent. */
  isPicked = false;
  /** Whether its end was reported. */
  isReported = false;
  #isSent = false;
  /** A stream that has closed does not know its session any more. */
  #session: ClientHttp2Stream["session"];

  constructor(number: number, startedMs: number) {
    this.number = number;
    this.startedMs = startedMs;
  }

  /** Whether it has been sent. */
  get isSent(): boolean {
    return this.#isSent;
  }

  /** The address of its connection, `10.0.0.1:50051`; undefined before it is sent, and for a Unix socket. */
  get peer(): string | undefined {
    const { remoteAddress, remotePort } = this.#session?.socket ?? {};
    if (remoteAddress === undefined || remotePort === undefined) return undefined;
    return formatHostPort(remoteAddress, remotePort);
  }

  /** @param onClose called when the stream has closed */
  bind(stream: ClientHttp2Stream, onClose: () => void): void {
    this.#isSent = true;
    this.#session = stream.session;
    const read = (headers: IncomingHttpHeaders): void => {
      const answered = headers["grpc-status"];
      if (answered === undefined) return;
      this.code = Number(answered);
      this.endedMs = performance.now();
    };
    stream.on("response", read); // of a response without messages
    stream.on("trailers", read);
    stream.on("close", () => {
      this.endedMs ??= performance.now();
      this.code ??= codeOfReset(stream.rstCode);
      onClose();
    });
  }
}

/** As in gRPC over HTTP/2 (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#errors). */
function codeOfReset(code: number | undefined): status {
  if (code === constants.NGHTTP2_REFUSED_STREAM) return status.UNAVAILABLE;
  if (code === constants.NGHTTP2_CANCEL) return status.CANCELLED;
  if (code === constants.NGHTTP2_ENHANCE_YOUR_CALM) return status.RESOURCE_EXHAUSTED;
  return code === constants.NGHTTP2_NO_ERROR ? status.UNAVAILABLE : status.INTERNAL;
}
