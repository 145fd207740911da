import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** Forwards TCP connections from a port that stays the same, and can end, refuse or freeze them, whatever the server behind it does. */
export class Relay {
  readonly #sockets = new Set<Socket>();
  readonly #to: number;
  #server: Server | undefined;
  #port = 0;
  #isFrozen = false;

  /** @param to the port that it forwards to, on 127.0.0.1 */
  constructor(to: number) {
    this.#to = to;
  }

  get port(): number {
    return this.#port;
  }

  /** Open connections of clients. */
  get connections(): number {
    return this.#sockets.size / 2;
  }

  async start(): Promise<void> {
    this.#server = createServer((client) => {
      const server = connect(this.#to, "127.0.0.1");
      for (const [from, to] of [
        [client, server],
        [server, client],
      ] as const) {
        this.#sockets.add(from);
        from.on("error", () => {}); // either side may break off
        from.on("data", (chunk) => to.write(chunk));
        from.on("close", () => {
          this.#sockets.delete(from);
          to.destroy();
        });
        if (this.#isFrozen) from.pause();
      }
    });
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Ends all connections and refuses new ones. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.drop();
    if (!server) return;
    server.close();
    await once(server, "close");
  }

  /** Ends all connections. */
  drop(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Accepts connections and forwards nothing. */
  freeze(): void {
    this.#isFrozen = true;
    for (const socket of this.#sockets) socket.pause();
  }

  thaw(): void {
    this.#isFrozen = false;
    for (const socket of this.#sockets) socket.resume();
  }
}
