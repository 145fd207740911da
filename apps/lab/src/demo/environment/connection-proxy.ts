import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { Random } from "@grpc-lb/core";

/** The address of a pod. */
export interface Backend {
  readonly host: string;
  readonly port: number;
}

/** Options of a ConnectionProxy. */
export interface ConnectionProxyOptions {
  readonly backends: readonly Backend[];
  /** Picks the backend of each new connection. With a seed, the n-th connection goes to the same backend in every run. */
  readonly random: Random;
}

/** The Service of the demo: one address in front of several backends. */
export interface ConnectionProxy {
  /** Listens on 127.0.0.1. */
  readonly port: number;
  /** Replaces the backends of later connections; those that are open stay. Without backends, connections are reset. */
  setBackends(backends: readonly Backend[]): void;
  /** Stops listening and destroys the open connections; resolves when the last socket is closed. */
  close(): Promise<void>;
}

/**
 * Starts a layer 4 proxy that balances like kube-proxy in iptables mode: each new connection goes to a random backend and stays
 * there until it ends. The proxy does not read the traffic, and does not try another backend when the chosen one refuses.
 *
 * @throws RangeError when there are no backends
 */
export async function startConnectionProxy(options: ConnectionProxyOptions): Promise<ConnectionProxy> {
  const { random } = options;
  let { backends } = options;
  if (backends.length === 0) throw new RangeError("backends must not be empty");
  const sockets = new Set<Socket>();
  const track = (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    socket.setNoDelay();
  };

  // Half-open on both sides: a FIN in one direction is forwarded and the other direction stays open, as with DNAT.
  const server = createServer({ allowHalfOpen: true }, (downstream) => {
    const backend = backends[Math.floor(random() * backends.length)];
    if (!backend) {
      downstream.resetAndDestroy();
      return;
    }
    const upstream = connect({ ...backend, allowHalfOpen: true });
    track(downstream);
    track(upstream);
    downstream.pipe(upstream);
    upstream.pipe(downstream);
    // A failed peer is seen as a reset, as through a Service: the kernel answers a dead connection with RST.
    downstream.on("error", () => upstream.resetAndDestroy());
    upstream.on("error", () => downstream.resetAndDestroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  return {
    port: (server.address() as AddressInfo).port,
    setBackends(next) {
      backends = next;
    },
    async close() {
      const closed = once(server, "close"); // emitted after the accepted sockets are closed
      server.close();
      const socketsClosed = [...sockets].map((socket) => once(socket, "close"));
      for (const socket of sockets) socket.destroy();
      await Promise.all([closed, ...socketsClosed]);
    },
  };
}
