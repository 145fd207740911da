import { createServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo, Socket } from "node:net";

/** A member that answers each call by hand, byte by byte. */
export class RawMember {
  /** `127.0.0.1:port`. */
  readonly endpoint: string;
  readonly #close: () => Promise<void>;

  private constructor(endpoint: string, close: () => Promise<void>) {
    this.endpoint = endpoint;
    this.#close = close;
  }

  /** @param onCall called with each call's stream, whose headers are sent, and its path */
  static async start(onCall: (stream: ServerHttp2Stream, path: string) => void): Promise<RawMember> {
    const server = createServer();
    const sockets = new Set<Socket>();
    server.on("connection", (socket: Socket) => sockets.add(socket));
    server.on("sessionError", () => {}); // the client ends it as it likes
    server.on("stream", (stream, headers) => {
      stream.on("error", () => {});
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      onCall(stream, String(headers[":path"]));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    return new RawMember(`127.0.0.1:${port}`, async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    });
  }

  close(): Promise<void> {
    return this.#close();
  }
}

/** One message of gRPC; its header may claim another length than it has. */
export function frame(message: Uint8Array, length = message.length): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt32BE(length, 1);
  return Buffer.concat([header, message]);
}

/** Ends a call well, after these messages. */
export function answer(stream: ServerHttp2Stream, ...messages: readonly Uint8Array[]): void {
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end(Buffer.concat(messages.map((message) => frame(message))));
}
