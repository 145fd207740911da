import type { ServerResponse } from "node:http";

/** Pages that watch at once. */
export const maxWatchers = 20;
/** What a page that does not read makes this process hold before it is cut; it connects again and gets all that counts. */
const maxUnreadBytes = 1_000_000;

/** Sends events to all pages that watch, as server-sent events. */
export class EventStream {
  readonly #watchers = new Set<ServerResponse>();

  get watchers(): number {
    return this.#watchers.size;
  }

  /** Starts the answer of a page that watches; `first` are the events that only it gets. The caller has checked `maxWatchers`. */
  add(response: ServerResponse, headers: Readonly<Record<string, string>>, first: readonly string[]): void {
    response.writeHead(200, { ...headers, "content-type": "text/event-stream", "cache-control": "no-store" });
    response.write(`retry: 1000\n\n${first.join("")}`);
    this.#watchers.add(response);
    response.once("close", () => this.#watchers.delete(response));
  }

  send(event: string): void {
    for (const response of this.#watchers) {
      if (response.writableLength > maxUnreadBytes) response.destroy();
      else response.write(event);
    }
  }

  close(): void {
    for (const response of this.#watchers) response.end();
  }
}

/** The text of an event. */
export const eventText = (name: string, data: unknown) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
