import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";

/** What the proxy does with CONNECT: opens the tunnel, refuses with 407, closes the connection, also behind what it has sent, or never answers. */
export type FakeProxyMode = "tunnel" | "refuse" | "close" | "end" | "hang";

/** An HTTP proxy on loopback, for tests. */
export class FakeProxy {
  mode: FakeProxyMode = "tunnel";
  /** What it sends before its answer to CONNECT, such as informational responses. */
  before = "";
  /** The requests so far, with their credentials: `CONNECT 127.0.0.1:443 Basic dTpw`. */
  readonly requests: string[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((request, response) => {
    this.requests.push(`${request.method} ${request.url} ${request.headers["proxy-authorization"] ?? ""}`.trim());
    response.end("from the proxy");
  });

  static async start(): Promise<FakeProxy> {
    const proxy = new FakeProxy();
    proxy.#server.on("connection", (socket) => proxy.#track(socket));
    proxy.#server.on("connect", (request, socket: Socket) => {
      proxy.requests.push(`CONNECT ${request.url} ${request.headers["proxy-authorization"] ?? ""}`.trim());
      if (proxy.before !== "") socket.write(proxy.before);
      if (proxy.mode === "refuse") socket.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
      if (proxy.mode === "close") socket.destroy();
      if (proxy.mode === "end") socket.end();
      if (proxy.mode === "tunnel") proxy.#tunnel(socket, request.url ?? "");
      else socket.resume().on("end", () => socket.destroy()); // the server of node:http leaves it half open
    });
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  /** With a user and a password, which the proxy does not check. */
  get url(): URL {
    return new URL(`http://us%40er:pa%20ss@127.0.0.1:${(this.#server.address() as AddressInfo).port}`);
  }

  /** Connections that are open now. */
  get connections(): number {
    return this.#sockets.size;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  #tunnel(socket: Socket, authority: string): void {
    const { hostname, port } = new URL(`http://${authority}`);
    const server = connect(Number(port), hostname, () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      server.pipe(socket).pipe(server);
    });
    this.#track(server);
    server.on("close", () => socket.destroy());
    socket.on("close", () => server.destroy());
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => {}); // either side may break off
    socket.on("close", () => this.#sockets.delete(socket));
  }
}
