import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { isIP, connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { once } from "node:events";
import { RpcStream } from "./rpc-stream.ts";
import { code, RpcStatus } from "./rpc-status.ts";

/** A call of a service, as ts-proto describes it. */
export interface Method<Q, R> {
  readonly path: string;
  readonly requestSerialize: (request: Q) => Uint8Array;
  readonly responseDeserialize: (bytes: Buffer) => R;
}

/** Where a member of the cluster listens. */
export interface MemberAddress {
  readonly host: string;
  readonly port: number;
}

/** What a TLS connection is made with, read. */
export interface TlsMaterial {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly serverName?: string | undefined;
}

/**
 * One HTTP/2 connection to one member, and gRPC on it. It is its own and not grpc-js's because of what a source promises:
 * a channel of grpc-js keeps the process alive as long as a watch is open, has no limit to connecting, takes proxies from
 * the environment, and may hold its socket after its close. It never connects again: who owns it makes another.
 */
export class Connection {
  readonly #socket: Socket | TLSSocket;
  readonly #session: ClientHttp2Session;
  #failure: Error | undefined;
  #isLost = false;

  constructor({ host, port }: MemberAddress, tls: TlsMaterial | undefined) {
    const { serverName, ...material } = tls ?? {};
    const servername = serverName ?? (isIP(host) ? "" : host);
    this.#socket = tls
      ? connectTls({
          host,
          port,
          ALPNProtocols: ["h2"],
          servername,
          ...definedOf(material),
        })
      : connectTcp({ host, port });
    this.#socket.setNoDelay(true);
    // Whether the process lives on is its readers' to say.
    this.#socket.unref();
    const scheme = tls ? "https" : "http";
    this.#session = connectHttp2(`${scheme}://${hostPort({ host, port })}`, { createConnection: () => this.#socket });
    this.#session.on("error", (error) => this.#lose(error));
    this.#session.on("goaway", () => this.#lose(new Error("the server closes the connection")));
    this.#session.on("close", () => this.#lose(new Error("the connection was closed")));
  }

  /** Whether no call can begin any more. */
  get isLost(): boolean {
    return this.#isLost;
  }

  /** Why calls of this connection fail, in the words of the socket. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Begins a call. An abort of `signal` ends it at once with its reason. */
  open<Q, R>(
    method: Method<Q, R>,
    options: { readonly headers: Readonly<Record<string, string>>; readonly signal: AbortSignal },
  ): RpcStream<Q, R> {
    if (this.#isLost) throw new RpcStatus(code.unavailable, this.#failure?.message ?? "the connection is lost");
    try {
      const stream = this.#session.request({
        ...options.headers,
        ":method": "POST",
        ":path": method.path,
        "content-type": "application/grpc",
        te: "trailers",
      });
      return new RpcStream(stream, method, options.signal, () => this.#failure);
    } catch (cause) {
      throw new RpcStatus(code.unavailable, (cause as Error).message, { cause });
    }
  }

  /** Ends the connection and its calls at once; resolves when the socket is gone. */
  async close(): Promise<void> {
    this.#isLost = true;
    const closed = this.#socket.closed ? undefined : once(this.#socket, "close");
    this.#session.destroy();
    this.#socket.destroy();
    await closed?.catch(() => {}); // an error of the socket while it is destroyed concerns nobody
  }

  #lose(error: Error): void {
    this.#failure ??= error;
    this.#isLost = true;
  }
}

/** `host:port`, with brackets around an IPv6 address. */
export function hostPort({ host, port }: MemberAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function definedOf(material: Omit<TlsMaterial, "serverName">): Record<string, string> {
  return Object.fromEntries(Object.entries(material).filter(([, value]) => value !== undefined)) as Record<string, string>;
}
