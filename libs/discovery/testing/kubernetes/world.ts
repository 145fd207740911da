import { defineKubernetesSource } from "../../src/kubernetes/source.ts";
import { sourceIn } from "../context.ts";
import { fasterClock } from "../faster-clock.ts";
import type { SourceWorld, WorldInstance } from "../source-conformance.ts";
import { FakeApiServer } from "./fake-api-server.ts";
import { type StoredSlice, service, slice } from "./slices.ts";

/** How many slices the instances of a service are spread over. */
const slicesPerService = 3;

/**
 * Writes instances as the EndpointSlice controller does: pods in slices, a few to each, which are written whole, and stay when
 * they have become empty.
 */
export class SliceWriter implements Pick<SourceWorld, "put" | "remove"> {
  readonly #write: (slice: StoredSlice) => Promise<void>;
  readonly #namespace: string;
  readonly #slices = new Map<string, { readonly pods: Set<string>; written: Promise<void> }>();

  constructor(namespace: string, write: (slice: StoredSlice) => Promise<void>) {
    this.#namespace = namespace;
    this.#write = write;
  }

  put(service: string, { address }: WorldInstance): Promise<void> {
    return this.#change(service, address.host, (pods) => pods.add(address.host));
  }

  remove(service: string, { host }: WorldInstance["address"]): Promise<void> {
    return this.#change(service, host, (pods) => pods.delete(host));
  }

  /** Forgets all slices, as a server without data. */
  forget(): void {
    this.#slices.clear();
  }

  /** Writes a slice after its earlier writes have ended, with the pods that it has by then. */
  #change(service: string, host: string, change: (pods: Set<string>) => void): Promise<void> {
    const name = `${service}-${Number(host.split(".").at(-1)) % slicesPerService}`;
    const known = this.#slices.get(name) ?? { pods: new Set(), written: Promise.resolve() };
    this.#slices.set(name, known);
    change(known.pods);
    known.written = known.written.then(() => {
      const addresses = [...known.pods].map((address) => ({ address, pod: `${service}-${address}` }));
      return this.#write(slice({ service, name, namespace: this.#namespace, addresses }));
    });
    return known.written;
  }
}

/** The deadlines of a source are 15 s and more, and most of them cannot be configured. */
const times = 5;
/** A second of real time; so bookmarks must be more frequent. */
const idleDeadlineMs = 1_000 * times;
const bookmarkEveryMs = 100;

/** Runs a behaviour on its own fake API server that has the Service, and closes the server. */
export async function onFakeApiServer(name: string, run: (world: SourceWorld) => Promise<void>): Promise<void> {
  const api = await FakeApiServer.start();
  const bookmarks = setInterval(() => api.sendBookmark(), bookmarkEveryMs);
  try {
    api.putService(service({ name }));
    await run(worldOf(api));
  } finally {
    clearInterval(bookmarks);
    await api.close();
  }
}

function worldOf(api: FakeApiServer): SourceWorld {
  const writer = new SliceWriter("default", async (slice) => api.putSlice(slice));
  const clock = fasterClock(times);
  const createSource = (service: string, access = api.access) =>
    sourceIn(defineKubernetesSource, { service, access, clock, idleDeadlineMs });
  return {
    createSource: (service) => createSource(service),
    put: (service, instance) => writer.put(service, instance),
    remove: (service, address) => writer.remove(service, address),
    hasWeights: false,
    outage: { stop: () => api.stop(), start: () => api.start() },
    freeze: { begin: async () => api.freeze(), end: async () => api.thaw() },
    async restartEmpty() {
      await api.stop();
      api.forget();
      writer.forget();
      await api.start();
    },
    async outdate(meanwhile) {
      await api.stop();
      await meanwhile();
      api.compact();
      await api.start();
    },
    async stranger(service) {
      api.requireToken("right");
      const access = { ...api.access, token: "wrong" };
      const admit = async () => {
        access.token = "right";
      };
      return { source: createSource(service, access), admit };
    },
    untilLeft: () => api.until(({ connections }) => connections === 0),
  };
}
