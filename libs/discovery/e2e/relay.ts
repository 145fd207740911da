import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A TCP relay: a network between a client and a server that can be made to break, and to carry nothing. */
export class Relay {
  readonly #upstream: { readonly host: string; readonly port: number };
  readonly #pairs = new Map<Socket, Socket>();
  readonly #server = createServer((client) => this.#accept(client));
  #port = 0;
  #isFrozen = false;
  #left = Promise.withResolvers<void>();

  private constructor(host: string, port: number) {
    this.#upstream = { host, port };
  }

  /** Starts a relay to a server on a free port of 127.0.0.1. */
  static async start(host: string, port: number): Promise<Relay> {
    const relay = new Relay(host, port);
    await relay.start();
    return relay;
  }

  get port(): number {
    return this.#port;
  }

  /** Listens again, on the port it had. */
  async start(): Promise<void> {
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Ends all connections and listens no more. */
  async stop(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.breakConnections();
    await closed;
  }

  breakConnections(): void {
    for (const client of this.#pairs.keys()) client.destroy();
  }

  /** Accepts, and carries nothing, until `thaw`. */
  freeze(): void {
    this.#isFrozen = true;
    for (const pair of this.#pairs) for (const socket of pair) socket.unpipe().pause();
  }

  thaw(): void {
    this.#isFrozen = false;
    for (const [client, upstream] of this.#pairs) join(client, upstream);
  }

  /** Resolves when no client has a connection any more. */
  async untilLeft(): Promise<void> {
    while (this.#pairs.size > 0) await this.#left.promise;
  }

  /** Ends for good. */
  async close(): Promise<void> {
    if (this.#server.listening) await this.stop();
  }

  #accept(client: Socket): void {
    const upstream = connect(this.#upstream);
    this.#pairs.set(client, upstream);
    for (const socket of [client, upstream]) {
      socket.on("error", () => {}); // both ends are closed below
      socket.on("close", () => {
        client.destroy();
        upstream.destroy();
        this.#pairs.delete(client);
        if (this.#pairs.size > 0) return;
        this.#left.resolve();
        this.#left = Promise.withResolvers();
      });
    }
    if (!this.#isFrozen) join(client, upstream);
  }
}

function join(client: Socket, upstream: Socket): void {
  client.pipe(upstream);
  upstream.pipe(client);
}
