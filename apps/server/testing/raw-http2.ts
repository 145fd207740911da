import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** Frame types and flags of RFC 9113. */
const [dataType, headersType, settingsType, continuationType] = [0x0, 0x1, 0x4, 0x9];
const [endStream, endHeaders, ack] = [0x1, 0x4, 0x1];
const maxFrameBytes = 16_384;

function frame(type: number, flags: number, streamId: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(streamId, 5);
  return Buffer.concat([header, payload]);
}

/** HPACK (RFC 7541): a literal without indexing, with a new name. */
function literal(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.of(0), text(name), text(value)]);
}

function text(value: string): Buffer {
  const bytes = [];
  let rest = value.length - 127;
  if (rest < 0) bytes.push(value.length);
  else {
    bytes.push(127);
    for (; rest >= 128; rest >>= 7) bytes.push((rest & 127) | 128);
    bytes.push(rest);
  }
  return Buffer.concat([Buffer.from(bytes), Buffer.from(value)]);
}

/** A client that sends the frames that it is told to, whatever the server's settings are. It reads and counts the answers. */
export class RawHttp2Client {
  readonly socket: Socket;
  /** Frames of the server by type: 3 is RST_STREAM, 7 is GOAWAY. */
  readonly received = new Map<number, number>();
  #rest: Buffer = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("error", () => {}).on("data", (chunk) => this.#read(chunk));
  }

  /** @param host where a server listens */
  static async connect(port: number, host = "127.0.0.1"): Promise<RawHttp2Client> {
    const socket = connect(port, host);
    await once(socket, "connect");
    return new RawHttp2Client(socket);
  }

  /** Sends the connection preface with empty SETTINGS. */
  handshake(): void {
    this.socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    this.socket.write(frame(settingsType, 0, 0));
  }

  /** Sends the headers of a gRPC request, in as many frames as they need. */
  headers(streamId: number, path: string, options: { readonly extra?: string; readonly end?: boolean } = {}): void {
    const fields: readonly (readonly [string, string])[] = [
      [":method", "POST"],
      [":scheme", "http"],
      [":path", path],
      [":authority", "a"],
      ["content-type", "application/grpc"],
      ["te", "trailers"],
      ...(options.extra ? ([["x-extra", options.extra]] as const) : []),
    ];
    const block = Buffer.concat(fields.map(([name, value]) => literal(name, value)));
    for (let at = 0; at < block.length; at += maxFrameBytes) {
      const isLast = at + maxFrameBytes >= block.length;
      const flags = (isLast ? endHeaders : 0) | (at === 0 && options.end ? endStream : 0);
      const type = at === 0 ? headersType : continuationType;
      this.socket.write(frame(type, flags, streamId, block.subarray(at, at + maxFrameBytes)));
    }
  }

  data(streamId: number, payload: Uint8Array): void {
    this.socket.write(frame(dataType, 0, streamId, payload));
  }

  close(): void {
    this.socket.destroy();
  }

  #read(chunk: Buffer): void {
    let rest = Buffer.concat([this.#rest, chunk]);
    while (rest.length >= 9) {
      const length = rest.readUIntBE(0, 3);
      if (rest.length < 9 + length) break;
      const [type, flags] = [rest.readUInt8(3), rest.readUInt8(4)];
      this.received.set(type, (this.received.get(type) ?? 0) + 1);
      if (type === settingsType && flags !== ack) this.socket.write(frame(settingsType, ack, 0));
      rest = rest.subarray(9 + length);
    }
    this.#rest = Buffer.from(rest);
  }
}
