import type { Server, Socket } from "node:net";

/** Resets each new connection while `refuses` returns true. Must be called before the server listens, or in the turn in which it does. */
export function refuseConnections(server: Pick<Server, "prependListener">, refuses: () => boolean): void {
  server.prependListener("connection", (socket: Socket) => {
    if (refuses()) socket.resetAndDestroy();
  });
}
