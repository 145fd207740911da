import { createServer, type Http2Server, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import type { GrpcEndpoint } from "../src/grpc-js.ts";
import { endpoint } from "./fake-channel.ts";

/** How a peer ends each connection once it has sent its SETTINGS. */
export const closings = {
  /** Gracefully, as a server that drains. */
  goaway: (session: ServerHttp2Session) => session.close(),
  /** As a server that protects itself from too many pings. */
  "enhance your calm": (session: ServerHttp2Session) => {
    session.goaway(0xb);
    session.close();
  },
  /** Without a word, as a proxy that has no backend. */
  "connection reset": (session: ServerHttp2Session) => session.socket.destroy(),
} as const;

/** A peer that accepts connections and ends each of them at once. */
export class ClosingPeer {
  /** `127.0.0.1:port`. */
  readonly address: string;
  readonly endpoint: GrpcEndpoint;
  readonly #server: Http2Server;

  private constructor(server: Http2Server, closing: keyof typeof closings) {
    const { port } = server.address() as AddressInfo;
    this.address = `127.0.0.1:${port}`;
    this.endpoint = endpoint(this.address);
    this.#server = server;
    server.on("session", (session) => {
      session.on("error", () => {}); // the client may have reset the connection
      session.once("localSettings", () => closings[closing](session));
    });
  }

  static async start(closing: keyof typeof closings): Promise<ClosingPeer> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new ClosingPeer(server, closing);
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}
