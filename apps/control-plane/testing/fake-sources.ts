import { DiscoveryError, defineSource, type Endpoint, type Source } from "@grpc-lb/discovery";

type Store = Parameters<Parameters<typeof defineSource>[0]["start"]>[0];

/** An endpoint at an IPv4 address, port 80. */
export const fakeEndpoint = (host: string, more: Partial<Endpoint> = {}): Endpoint => ({
  ...{ id: `${host}:80`, addresses: [{ host, port: 80 }], weight: 1, zone: undefined },
  ...{ forZones: [], nodeName: undefined, metadata: {}, ...more },
});

let count = 0;

/** Sources that answer what a test says, when it says so. */
export class FakeSources {
  readonly #running = new Map<string, Store>();
  readonly #run = ++count;

  /** The targets of the sources that run. */
  get running(): readonly string[] {
    return [...this.#running.keys()];
  }

  /** For `PublisherOptions.createSource`. */
  readonly create = (target: string): Source =>
    defineSource({
      subject: target,
      key: `fake ${this.#run} ${target}`,
      start: (store, signal) => {
        this.#running.set(target, store);
        return new Promise((resolve) => {
          signal.addEventListener("abort", () => {
            this.#running.delete(target);
            resolve();
          });
        });
      },
    });

  /** A target's server answers with these hosts. */
  answer(target: string, ...endpoints: readonly (string | Endpoint)[]): void {
    const store = this.#running.get(target);
    store?.endpoints.replaceAll(endpoints.map((one) => (typeof one === "string" ? fakeEndpoint(one) : one)));
    store?.sync();
  }

  /** A target's server fails. */
  fail(target: string, message: string): void {
    this.#running.get(target)?.fail(new DiscoveryError("unavailable", message));
  }
}
