import { once } from "node:events";
import { createServer } from "node:net";

/** Below the ports that systems assign to port 0 and to outgoing connections, and below the node ports of Kubernetes. */
const [first, count] = [20_000, 10_000];
/** Processes start at different ports, so that those that run at the same time seldom collide. */
let next = process.pid * 61;

/**
 * Returns a port of 127.0.0.1 where no process listens, a different one each time. The system assigns it to no one, so that a
 * test can listen there later.
 *
 * @throws Error when every port of the range is taken
 */
export async function closedPort(): Promise<number> {
  for (let tries = 0; tries < count; tries++) {
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
  throw new Error(`no free port from ${first} to ${first + count - 1}`);
}
