import type { ServerResponse } from "node:http";
import type { FakeRequest, FakeStatus } from "./fake-request.ts";
import { isSelected, type StoredEvent } from "./fake-store.ts";

/** How the bytes of a watch are cut. */
export interface Chunking {
  /** The most bytes of one write; each write has its own turn of the event loop. */
  readonly pieceBytes: number;
}

/** One open watch. What is written is sent in order; while it is held, it waits. */
export class FakeWatch {
  readonly #request: FakeRequest;
  readonly #response: ServerResponse;
  readonly #chunking: () => Chunking | undefined;
  #held: Buffer[] = [];
  #isHeld = false;
  #isEnding = false;
  #isSending = false;

  constructor(request: FakeRequest, response: ServerResponse, chunking: () => Chunking | undefined) {
    this.#request = request;
    this.#response = response;
    this.#chunking = chunking;
    response.writeHead(200, { "content-type": "application/json" }).flushHeaders();
  }

  get resource(): FakeRequest["resource"] {
    return this.#request.resource;
  }

  /** Sends the changes that it selects, all in one write. */
  publish(events: readonly StoredEvent[]): void {
    const mine = events.filter(({ resource, object }) => {
      return resource === this.#request.resource && isSelected(object, this.#request);
    });
    if (mine.length > 0) this.write(mine.map(({ type, object }) => `${JSON.stringify({ type, object })}\n`).join(""));
  }

  bookmark(version: number): void {
    if (this.#request.query.get("allowWatchBookmarks") !== "true") return;
    const object = { kind: "EndpointSlice", metadata: { resourceVersion: String(version), creationTimestamp: null } };
    this.write(`${JSON.stringify({ type: "BOOKMARK", object })}\n`);
  }

  /** Sends an ERROR event, with which an API server ends a watch. */
  fail(status: FakeStatus): void {
    this.write(`${JSON.stringify({ type: "ERROR", object: status })}\n`);
    this.end();
  }

  /** Sends raw text, which need not be a complete event. */
  write(text: string): void {
    if (this.#isEnding) return;
    this.#held.push(Buffer.from(text));
    void this.#send();
  }

  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
    void this.#send();
  }

  /** Ends it in the regular way, as a server does after `timeoutSeconds`. */
  end(): void {
    this.#isEnding = true;
    void this.#send();
  }

  /** Breaks its connection. */
  break(): void {
    this.#response.socket?.destroy();
  }

  async #send(): Promise<void> {
    if (this.#isSending) return;
    this.#isSending = true;
    while (!this.#isHeld && this.#held.length > 0) {
      const bytes = this.#held.shift() as Buffer;
      const size = this.#chunking()?.pieceBytes ?? bytes.length;
      for (let at = 0; at < bytes.length; at += size) {
        this.#response.write(bytes.subarray(at, at + size));
        if (size < bytes.length) await new Promise((resolve) => setImmediate(resolve));
      }
    }
    this.#isSending = false;
    if (!this.#isHeld && this.#isEnding) this.#response.end();
  }
}
