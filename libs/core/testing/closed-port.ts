import { once } from "node:events";
import { createServer } from "node:net";

/** Below those that systems give away for port 0 and for outgoing connections, and below the node ports of Kubernetes. */
const [first, count] = [20_000, 10_000];
/** Where a process begins, so that those that run at the same time seldom meet. */
let next = process.pid * 61;

/**
 * A port of 127.0.0.1 where nobody listens; another one each time. The system gives it to nobody either, so whoever is to listen
 * there a moment later can.
 */
export async function closedPort(): Promise<number> {
  for (;;) {
    const port = first + (next++ % count);
    const server = createServer();
    try {
      await once(server.listen(port, "127.0.0.1"), "listening");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") continue;
      throw error;
    }
    server.close();
    await once(server, "close");
    return port;
  }
}
