import { code, RpcStatus } from "./rpc-status.ts";

/** Larger than any answer that makes sense; a length beyond it is no length. */
const maxMessageBytes = 256 * 1_048_576;
const headerBytes = 5;

/** A message as gRPC frames it: a byte that says "not compressed", the length, the message. */
export function frame(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(headerBytes + message.length);
  framed.writeUInt8(0, 0);
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, headerBytes);
  return framed;
}

/** Takes the bytes of a stream as they come, and gives the messages that are whole. */
export class Deframer {
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** What must be there for the next look to be worth it. */
  #wanted = headerBytes;

  /** @throws RpcStatus when the bytes are no messages */
  push(chunk: Buffer): Buffer[] {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes < this.#wanted) return [];
    const whole = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks);
    const messages: Buffer[] = [];
    let at = 0;
    this.#wanted = headerBytes;
    while (whole.length - at >= headerBytes) {
      if (whole[at] !== 0) throw new RpcStatus(code.internal, "a compressed message, which was not asked for");
      const length = whole.readUInt32BE(at + 1);
      if (length > maxMessageBytes) throw new RpcStatus(code.internal, `a message of ${length} bytes`);
      if (whole.length - at < headerBytes + length) {
        this.#wanted = headerBytes + length;
        break;
      }
      messages.push(whole.subarray(at + headerBytes, at + headerBytes + length));
      at += headerBytes + length;
    }
    const rest = whole.subarray(at);
    this.#chunks = rest.length > 0 ? [rest] : [];
    this.#bytes = rest.length;
    return messages;
  }
}
