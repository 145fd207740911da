import { AsyncLocalStorage } from "node:async_hooks";
import { subscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import {
  type CallCredentials,
  ChannelCredentials,
  type experimental,
  credentials as grpcCredentials,
} from "@grpc/grpc-js";
import { checkServerIdentity } from "@grpc-lb/core";

/** The contents of the TLS files for one connection. */
export interface TlsMaterial {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** The name that the certificate must have. */
  readonly serverName: string;
}

/** Takes the sockets that are created in the current async context. */
const maker = new AsyncLocalStorage<(socket: Socket) => void>();
subscribe("net.client.socket", (message) => maker.getStore()?.((message as { readonly socket: Socket }).socket));

/**
 * Credentials of one grpc-js channel that own its sockets, for two guarantees that a channel alone does not give: no call keeps
 * the process alive (grpc-js does while a call is open), and after `close` no socket is left (grpc-js waits for a frozen peer to
 * end the session, and for the system to give up a peer that does not answer). This is the one file that uses the part of grpc-js which its `experimental` export describes (SecureConnector, as of 1.14).
 */
export class OwnedCredentials extends ChannelCredentials {
  readonly #tls: TlsMaterial | undefined;
  readonly #sockets = new Set<Socket>();
  #isClosed = false;

  /** @param tls undefined for a connection without TLS */
  constructor(tls: TlsMaterial | undefined) {
    super();
    this.#tls = tls;
  }

  override _isSecure(): boolean {
    return this.#tls !== undefined;
  }

  override _equals(other: ChannelCredentials): boolean {
    return this === other;
  }

  override _createSecureConnector(
    ..._: Parameters<ChannelCredentials["_createSecureConnector"]>
  ): experimental.SecureConnector {
    return {
      connect: async (socket) => ({ socket: await this.#secure(socket), secure: this.#tls !== undefined }),
      waitForReady: async () => {},
      getCallCredentials: (): CallCredentials => grpcCredentials.createEmpty(),
      destroy: () => {},
    };
  }

  /** Runs `run`, which makes the channel connect; `close` then ends its socket also while it connects. */
  whileConnecting<T>(run: () => T): T {
    return maker.run((socket) => this.#hold(socket), run);
  }

  /** Destroys every socket of the channel; resolves when they are closed. A socket that connects later is destroyed too. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const closed = [...this.#sockets].map((socket) => once(socket, "close").catch(() => {})); // its errors no longer matter
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(closed);
  }

  async #secure(socket: Socket): Promise<Socket> {
    this.#hold(socket);
    if (this.#tls) {
      const { serverName, ca, cert, key } = this.#tls;
      const material = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
      // An address may be in a certificate, but not in the handshake (RFC 6066, section 3).
      const servername = isIP(serverName) ? "" : serverName;
      const names = { host: serverName, servername, checkServerIdentity };
      const secured = connectTls({ socket, ...names, ALPNProtocols: ["h2"], ...material });
      this.#hold(secured);
      await new Promise<void>((resolve, reject) => {
        secured.once("secureConnect", resolve);
        secured.once("error", reject);
        secured.once("close", () => reject(new Error("the connection was closed while TLS began")));
      });
      return secured;
    }
    return socket;
  }

  #hold(socket: Socket): void {
    socket.unref();
    if (this.#sockets.has(socket)) return;
    socket.ref = () => socket; // grpc-js calls it with each first call
    // When its channel is closed, grpc-js leaves a connecting socket without an error listener, and its error would end the process.
    socket.on("error", () => {});
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    if (!this.#isClosed) return;
    socket.destroy();
    // A socket that is only being created connects all the same: net's connect() revives one that was destroyed.
    queueMicrotask(() => socket.destroy());
  }
}
