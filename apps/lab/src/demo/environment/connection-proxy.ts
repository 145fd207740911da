import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { Random } from "@grpc-lb/core";

/** Where a pod listens. */
export interface Backend {
  readonly host: string;
  readonly port: number;
}

/** What a ConnectionProxy needs to know. */
export interface ConnectionProxyOptions {
  readonly backends: readonly Backend[];
  /** Decides for each new connection; seeded, it makes the n-th connection go to the same backend in every run. */
  readonly random: Random;
}

/** A Service of the lab: one address in front of several backends. */
export interface ConnectionProxy {
  /** Listens on 127.0.0.1. */
  readonly port: number;
  /** Refuses new connections and cuts the open ones; resolves when the last socket is gone. */
  close(): Promise<void>;
}

/**
 * Starts a layer 4 proxy that balances as kube-proxy does in its iptables mode: each new connection goes to a random
 * backend and stays there until it ends. What runs inside of the connection is never looked at, and when the chosen
 * backend refuses, no other is tried.
 */
export async function startConnectionProxy(options: ConnectionProxyOptions): Promise<ConnectionProxy> {
  const { backends, random } = options;
  if (backends.length === 0) throw new RangeError("a proxy needs at least 1 backend, got 0");
  const sockets = new Set<Socket>();
  const track = (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    socket.setNoDelay();
  };

  // Half-open on both sides: the end of one direction is passed on and the other direction goes on, as through DNAT.
  const server = createServer({ allowHalfOpen: true }, (downstream) => {
    const backend = backends[Math.floor(random() * backends.length)] as Backend;
    const upstream = connect({ ...backend, allowHalfOpen: true });
    track(downstream);
    track(upstream);
    downstream.pipe(upstream);
    upstream.pipe(downstream);
    // A reset, as the client of a Service sees it: the kernel's own answer to a dead connection.
    downstream.on("error", () => upstream.resetAndDestroy());
    upstream.on("error", () => downstream.resetAndDestroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = once(server, "close"); // emitted when the accepted sockets are gone too
      server.close();
      const gone = [...sockets].map((socket) => once(socket, "close"));
      for (const socket of sockets) socket.destroy();
      await Promise.all([closed, ...gone]);
    },
  };
}
