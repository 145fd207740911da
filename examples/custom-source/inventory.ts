import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Instance } from "./inventory-source.ts";

/** A small inventory of services, to have something to watch. */
export class Inventory {
  readonly #services = new Map<string, Map<string, Instance>>();
  readonly #watchers = new Set<{ readonly service: string; readonly response: ServerResponse }>();
  #server: Server | undefined;
  #port = 0;

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Listens on a free port; after `stop`, on the same one. */
  async start(): Promise<void> {
    this.#server = createServer(({ url = "" }, response) => {
      const watcher = { service: url.replace("/services/", ""), response };
      this.#watchers.add(watcher);
      response.once("close", () => this.#watchers.delete(watcher));
      this.#send(watcher);
    }).listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  }

  put(service: string, instance: Instance): void {
    const instances = this.#services.get(service) ?? new Map<string, Instance>();
    this.#services.set(service, instances.set(instance.address, instance));
    for (const watcher of this.#watchers) if (watcher.service === service) this.#send(watcher);
  }

  remove(service: string, address: string): void {
    this.#services.get(service)?.delete(address);
    for (const watcher of this.#watchers) if (watcher.service === service) this.#send(watcher);
  }

  #send({ service, response }: { readonly service: string; readonly response: ServerResponse }): void {
    response.write(`${JSON.stringify([...(this.#services.get(service)?.values() ?? [])])}\n`);
  }
}
