import type { ServerHttp2Session, ServerHttp2Stream, Settings } from "node:http2";
import { constants } from "node:http2";
import { Server as TlsServer } from "node:tls";
import type { Server, ServerOptions } from "@grpc/grpc-js";
import { http2ServersOf } from "@grpc-lb/operations/tls/grpc";
import { ConnectionTable } from "./connection-table.ts";
import { type HandshakeOptions, limitHandshakes } from "./handshakes.ts";
import { refuseConnections } from "./refuse-connections.ts";

/** Bounds of what the peers of a gRPC server can make it hold. */
export interface Http2Limits {
  readonly maxConnections: number;
  /** Open streams of one connection, announced as SETTINGS_MAX_CONCURRENT_STREAMS. */
  readonly maxStreamsPerConnection: number;
  /** Open streams of all connections; beyond it the connection with the most streams loses its oldest one. */
  readonly maxStreams: number;
  /** Request headers, decoded, announced as SETTINGS_MAX_HEADER_LIST_SIZE. */
  readonly maxHeaderBytes: number;
  readonly maxMessageBytes: number;
  /** From the TCP connection to the client's SETTINGS frame. */
  readonly handshakeTimeoutMs: number;
  /** From the headers of a request to its end. Reflection is exempt: its clients may keep a stream open. */
  readonly requestTimeoutMs: number;
  /** How long a connection may have no stream. */
  readonly idleTimeoutMs: number;
}

/**
 * For the memory limit of 256 Mi in k8s/base: a connection takes about 160 kB, an open stream 12 kB plus its headers and message.
 * Requests of this server are nearly empty, so 16 kB is plenty. 100 streams is the least that RFC 9113 recommends; gRPC clients
 * queue calls beyond it.
 */
export const defaultHttp2Limits: Http2Limits = {
  maxConnections: 1_000,
  maxStreamsPerConnection: 100,
  maxStreams: 1_000,
  maxHeaderBytes: 16_384,
  maxMessageBytes: 16_384,
  handshakeTimeoutMs: 10_000,
  requestTimeoutMs: 10_000,
  idleTimeoutMs: 300_000,
};

/** Returns the limits that grpc-js has options for. */
export function limitOptions(limits: Http2Limits): ServerOptions {
  return {
    "grpc.max_concurrent_streams": limits.maxStreamsPerConnection,
    "grpc.max_receive_message_length": limits.maxMessageBytes,
    "grpc.max_connection_idle_ms": limits.idleTimeoutMs,
  };
}

/** A private member of grpc-js 1.14: the options of its HTTP/2 servers. */
interface Internals {
  readonly commonServerOptions: { settings?: Settings };
}

/** Announces the header limit. Must be called before the server is bound. */
export function announceHeaderLimit(server: Server, { maxHeaderBytes }: Http2Limits): void {
  const { commonServerOptions: options } = server as unknown as Internals;
  options.settings = { ...options.settings, maxHeaderListSize: maxHeaderBytes };
}

/** What happens to new connections. */
export interface ConnectionOptions extends Pick<HandshakeOptions, "onRefused"> {
  /** Whether new connections are reset now. Default: never. */
  readonly refuses?: (() => boolean) | undefined;
}

/** Applies the limits that grpc-js has no options for. Must be called when the server is bound, in the same turn. */
export function enforceLimits(server: Server, limits: Http2Limits, connections: ConnectionOptions = {}): void {
  const { onRefused, refuses } = connections;
  const table = new ConnectionTable<ServerHttp2Session>(limits.maxConnections, (session) => session.destroy());
  const streams = new StreamTable(limits.maxStreams);
  for (const http2Server of http2ServersOf(server)) {
    if (refuses) refuseConnections(http2Server, refuses);
    if (http2Server instanceof TlsServer) limitHandshakes(http2Server, { max: limits.maxConnections, onRefused });
    http2Server.on("session", (session) => {
      table.add(session);
      session.once("close", () => table.delete(session));
      limitHandshake(session, limits.handshakeTimeoutMs);
    });
    http2Server.on("stream", (stream, { ":path": path = "" }) => {
      const { session } = stream;
      if (!session) return;
      streams.add(session, stream);
      const endRequest = () => table.use(session as ServerHttp2Session);
      if (stream.endAfterHeaders) endRequest();
      else limitRequest(stream, path.startsWith("/grpc.reflection.") ? 0 : limits.requestTimeoutMs, endRequest);
    });
  }
}

function limitHandshake(session: ServerHttp2Session, timeoutMs: number): void {
  const deadline = setTimeout(() => session.destroy(), timeoutMs).unref();
  session.once("remoteSettings", () => clearTimeout(deadline));
  session.once("close", () => clearTimeout(deadline));
}

/** @param timeoutMs 0 for none */
function limitRequest(stream: ServerHttp2Stream, timeoutMs: number, onEnd: () => void): void {
  const expire = () => stream.close(constants.NGHTTP2_CANCEL);
  const deadline = timeoutMs > 0 ? setTimeout(expire, timeoutMs).unref() : undefined;
  stream.once("end", () => {
    clearTimeout(deadline);
    onEnd();
  });
  stream.once("close", () => clearTimeout(deadline));
}

/** The open streams of all connections. */
class StreamTable {
  readonly #max: number;
  /** In the order in which they were opened. */
  readonly #streams = new Map<object, Set<ServerHttp2Stream>>();
  #size = 0;

  constructor(max: number) {
    this.#max = max;
  }

  add(session: object, stream: ServerHttp2Stream): void {
    if (this.#size >= this.#max) this.#closeOne();
    const own = this.#streams.get(session) ?? new Set();
    this.#streams.set(session, own.add(stream));
    this.#size += 1;
    stream.once("close", () => this.#delete(session, stream));
  }

  #closeOne(): void {
    let heaviest: object | undefined;
    let most: Set<ServerHttp2Stream> = new Set();
    for (const [session, own] of this.#streams) if (own.size > most.size) [heaviest, most] = [session, own];
    const [oldest] = most;
    if (!heaviest || !oldest) return;
    this.#delete(heaviest, oldest); // now, as its close event comes later
    oldest.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  }

  #delete(session: object, stream: ServerHttp2Stream): void {
    const own = this.#streams.get(session);
    if (!own?.delete(stream)) return;
    this.#size -= 1;
    if (own.size === 0) this.#streams.delete(session);
  }
}
