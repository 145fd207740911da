import { once } from "node:events";
import { createServer } from "node:http";

/** Answers `GET /healthz` to the kubelet, on every address: the page itself is on loopback. @returns what ends it */
export async function serveHealth(port: number): Promise<() => void> {
  const server = createServer({ requestTimeout: 10_000 }, (request, response) => {
    response.writeHead(request.url === "/healthz" ? 200 : 404, { "content-type": "text/plain" });
    response.end(request.url === "/healthz" ? "ok\n" : "only /healthz is here\n");
  });
  server.maxConnections = 20;
  await once(server.listen(port), "listening");
  return () => {
    server.close();
    server.closeAllConnections();
  };
}
