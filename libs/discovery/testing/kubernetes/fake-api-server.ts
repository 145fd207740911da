import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { ApiAccess } from "../../src/kubernetes/api-client.ts";
import { ChangeNotifier } from "../change-notifier.ts";
import { FakeFaults } from "./fake-faults.ts";
import { type FakeRequest, type FakeStatus, readRequest, statusOf, type Verb } from "./fake-request.ts";
import { FakeStore, type Stored, type StoredEvent } from "./fake-store.ts";
import { type Chunking, FakeWatch } from "./fake-watch.ts";
import type { StoredService, StoredSlice } from "./slices.ts";

/** Counts of a fake API server. */
export interface FakeCounts {
  /** Requests by verb, including refused ones. */
  readonly get: number;
  readonly list: number;
  readonly watch: number;
  /** Watches that were answered with 200. */
  readonly acceptedWatches: number;
  readonly openWatches: number;
  readonly maxOpenWatches: number;
  /** The most requests in flight at the same time, including watches. */
  readonly maxInFlight: number;
  /** Connections open now. */
  readonly connections: number;
}

/**
 * A fake of the part of the Kubernetes API server that discovery uses, on a port of 127.0.0.1: paged lists, watches with
 * bookmarks that resume from a version, and 410 after a compaction. Tests can make it fail in the ways of a real one. The
 * same conformance tests run on it and on a real API server. `close()` ends all connections and timers.
 */
export class FakeApiServer {
  #store = new FakeStore();
  readonly #faults = new FakeFaults();
  readonly #sockets = new Set<Socket>();
  readonly #watches = new Set<FakeWatch>();
  readonly #pages = new Map<string, { readonly items: readonly Stored[]; readonly version: number }>();
  readonly #changes = new ChangeNotifier();
  readonly #log: FakeRequest[] = [];
  readonly #server: Server = createServer((request, response) => void this.#serve(request, response));
  #port = 0;
  #batch: StoredEvent[] | undefined;
  #chunking: Chunking | undefined;
  #frozen:
    | {
        readonly verb: Verb | undefined;
        readonly resource: FakeRequest["resource"] | undefined;
        readonly thawed: PromiseWithResolvers<void>;
      }
    | undefined;
  #interfere: ((request: FakeRequest, response: ServerResponse) => boolean) | undefined;
  #truncateTo: number | undefined;
  #stalls = 0;
  readonly #stalled = new Map<ServerResponse, string>();
  #inFlight = 0;
  readonly #counts = { get: 0, list: 0, watch: 0, acceptedWatches: 0, maxOpenWatches: 0, maxInFlight: 0 };

  private constructor() {
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => {}); // the client is gone
      socket.on("close", () => {
        this.#sockets.delete(socket);
        this.#changes.notify();
      });
    });
  }

  /** Starts one on a free port of 127.0.0.1. */
  static async start(): Promise<FakeApiServer> {
    const api = new FakeApiServer();
    await api.start();
    return api;
  }

  /** Access for a source. It is the same object each time, so that sources share their watches. Sends `token` if it is set. */
  readonly access: ApiAccess & { token: string | undefined } = {
    server: new URL("http://127.0.0.1"),
    namespace: "default",
    token: undefined,
    async credentials() {
      return { headers: this.token === undefined ? {} : { authorization: `Bearer ${this.token}` }, tls: {} };
    },
  };

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get counts(): FakeCounts {
    return { ...this.#counts, openWatches: this.#watches.size, connections: this.#sockets.size };
  }

  /** All requests, in order, including refused ones. */
  get requests(): readonly FakeRequest[] {
    return this.#log;
  }

  // ── Objects

  /** Creates slices, or replaces those of the same names. */
  putSlice(...slices: readonly StoredSlice[]): void {
    this.#publish(slices.map((slice) => this.#store.put("endpointslices", slice)));
  }

  /** Deletes a slice. */
  deleteSlice(name: string, namespace = "default"): void {
    this.#publish([this.#store.delete("endpointslices", namespace, name)]);
  }

  /** Creates a Service, or replaces the one of the same name. */
  putService(service: StoredService): void {
    this.#publish([this.#store.put("services", service)]);
  }

  /** Deletes a Service. */
  deleteService(name: string, namespace = "default"): void {
    this.#publish([this.#store.delete("services", namespace, name)]);
  }

  /** Sends all changes that `change` makes in one write. */
  batch(change: () => void): void {
    const batch: StoredEvent[] = [];
    this.#batch = batch;
    change();
    this.#batch = undefined;
    this.#publish(batch);
  }

  /** Forgets the changes so far: a request for an earlier version gets 410. */
  compact(): void {
    this.#store.compact();
    this.#pages.clear();
  }

  /** Removes all objects and counts versions from 1, as a server with a new etcd. Watches receive no events of this. */
  forget(): void {
    this.#store = new FakeStore(1);
    this.#pages.clear();
  }

  // ── Watches

  /** Sends every watch a bookmark. */
  sendBookmark(): void {
    for (const watch of this.#watches) watch.bookmark(this.#store.version);
  }

  /** Sends raw text to every watch, or to those of one resource. */
  sendText(text: string, resource?: FakeRequest["resource"]): void {
    for (const watch of this.#watches) if (watch.resource === (resource ?? watch.resource)) watch.write(text);
  }

  /** Ends every watch with an ERROR event. */
  sendError(code: number, message = "the fake fails", retryAfterSeconds?: number): void {
    const details = retryAfterSeconds === undefined ? {} : { details: { retryAfterSeconds } };
    for (const watch of this.#watches) watch.fail({ ...statusOf(code, message), ...details });
  }

  /** Ends every watch in the regular way. */
  closeWatches(): void {
    for (const watch of this.#watches) watch.end();
  }

  /** Breaks the connections of every watch. */
  breakWatches(): void {
    for (const watch of this.#watches) watch.break();
  }

  /** Cuts what watches send into pieces; `undefined` sends each write whole. */
  cutInto(pieceBytes: number | undefined): void {
    this.#chunking = pieceBytes === undefined ? undefined : { pieceBytes };
  }

  // ── Faults

  /** Accepts requests and sends nothing, neither to them nor to open watches. With a verb, only new requests of it wait. */
  freeze(verb?: Verb, resource?: FakeRequest["resource"]): void {
    this.#frozen ??= { verb, resource, thawed: Promise.withResolvers<void>() };
    if (verb === undefined) for (const watch of this.#watches) watch.hold(true);
  }

  /** Ends `freeze`, and sends everything that it held back. */
  thaw(): void {
    this.#frozen?.thawed.resolve();
    this.#frozen = undefined;
    for (const watch of this.#watches) watch.hold(false);
  }

  /** Refuses requests with a status. */
  refuse(code: number, options: Parameters<FakeFaults["refuse"]>[1] = {}): void {
    this.#faults.refuse(code, options);
  }

  /** Ends `refuse` and `forbid`. */
  accept(): void {
    this.#faults.accept();
  }

  /** Passes each request to `answer`, which may respond as a broken server or a proxy would. If it returns false, the fake responds. */
  interfere(answer: ((request: FakeRequest, response: ServerResponse) => boolean) | undefined): void {
    this.#interfere = answer;
  }

  /** Forbids a verb on a resource, as a missing Role does. */
  forbid(verb: Verb, resource: FakeRequest["resource"], user?: string): void {
    this.#faults.forbid(verb, resource, user);
  }

  /** Accepts only this bearer token, and responds 401 to all others; undefined accepts all. */
  requireToken(token: string | undefined): void {
    this.#faults.token = token;
  }

  /** The next list contains only the first `count` objects (consul-k8s PR#4409). */
  truncateNextList(count: number): void {
    this.#truncateTo = count;
  }

  /** The next `count` answers to lists and gets stop in the middle. */
  stallNext(count: number): void {
    this.#stalls = count;
  }

  /** Sends one more character of each answer that stopped. */
  trickle(): void {
    for (const [response, rest] of this.#stalled) {
      response.write(rest.slice(0, 1));
      this.#stalled.set(response, rest.slice(1));
    }
  }

  /** Sends the rest of each answer that stopped. */
  unstall(): void {
    for (const [response, rest] of this.#stalled) response.end(rest);
  }

  /** Ends all connections and stops listening. */
  async stop(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Listens again, on the same port. */
  async start(): Promise<void> {
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as AddressInfo).port;
    this.access.server.port = String(this.#port);
  }

  /** Ends for good. */
  async close(): Promise<void> {
    this.thaw();
    if (this.#server.listening) await this.stop();
  }

  /** Resolves as soon as the condition holds. @throws Error with the counts when it does not hold within 20 s */
  until(holds: (counts: FakeCounts) => boolean): Promise<void> {
    return this.#changes.until(holds, () => this.counts);
  }

  #publish(events: readonly (StoredEvent | undefined)[]): void {
    const some = events.filter((event) => event !== undefined);
    if (this.#batch) this.#batch.push(...some);
    else for (const watch of this.#watches) watch.publish(some);
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const request = readRequest(incoming);
    if (!request) return answer(response, statusOf(404, "the fake does not support this path"));
    this.#log.push(request);
    this.#inFlight += 1;
    this.#counts[request.verb] += 1;
    this.#counts.maxInFlight = Math.max(this.#counts.maxInFlight, this.#inFlight);
    response.on("close", () => {
      this.#inFlight -= 1;
      this.#changes.notify();
    });
    this.#changes.notify();
    const isFrozen = ({ verb = request.verb, resource = request.resource }) =>
      request.verb === verb && request.resource === resource;
    while (this.#frozen && isFrozen(this.#frozen)) await this.#frozen.thawed.promise;
    if (response.destroyed) return;
    const refusal = this.#faults.refusalFor(request);
    if (refusal) return answer(response, refusal.status, refusal.retryAfterSeconds);
    if (this.#interfere?.(request, response)) return;
    if (request.verb === "watch") this.#watch(request, response);
    else this.#respond(response, request.verb === "list" ? this.#list(request) : this.#get(request));
  }

  #respond(response: ServerResponse, body: object): void {
    if (this.#stalls === 0) {
      answer(response, body);
      return;
    }
    this.#stalls -= 1;
    const text = JSON.stringify(body);
    response.writeHead("code" in body ? Number(body.code) : 200, {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(text),
    });
    response.write(text.slice(0, text.length / 2));
    this.#stalled.set(response, text.slice(text.length / 2));
    response.on("close", () => this.#stalled.delete(response));
  }

  #get({ resource, namespace, name = "" }: FakeRequest): object {
    return this.#store.get(resource, namespace, name) ?? statusOf(404, `${resource} "${name}" not found`);
  }

  #list(request: FakeRequest): object {
    const { query } = request;
    const token = query.get("continue");
    if (token !== null && query.has("resourceVersion")) {
      return statusOf(400, "specifying resource version is not allowed when using continue");
    }
    const known = token === null ? undefined : this.#pages.get(token.split("@")[0] ?? "");
    if (token !== null && !known) {
      return statusOf(410, "The provided continue parameter is too old to display a consistent list result.");
    }
    const { items, version } = known ?? { items: this.#store.list(request), version: this.#store.version };
    const from = token === null ? 0 : Number(token.split("@")[1]);
    const to = from + Number(query.get("limit") ?? items.length);
    const id = String(version);
    if (to < items.length) this.#pages.set(id, { items, version });
    const page = items.slice(from, Math.min(to, this.#truncateTo ?? to));
    this.#truncateTo = undefined;
    const next = to < items.length ? { continue: `${id}@${to}`, remainingItemCount: items.length - to } : {};
    const kind = request.resource === "services" ? "ServiceList" : "EndpointSliceList";
    const apiVersion = request.resource === "services" ? "v1" : "discovery.k8s.io/v1";
    return { kind, apiVersion, metadata: { resourceVersion: id, ...next }, items: page };
  }

  #watch(request: FakeRequest, response: ServerResponse): void {
    const version = Number(request.query.get("resourceVersion") || 0);
    const events =
      version === 0
        ? this.#store
            .list(request)
            .map((object) => ({ version: 0, type: "ADDED", resource: request.resource, object }) as const)
        : this.#store.eventsAfter(version);
    const watch = new FakeWatch(request, response, () => this.#chunking);
    this.#watches.add(watch);
    this.#counts.acceptedWatches += 1;
    this.#counts.maxOpenWatches = Math.max(this.#counts.maxOpenWatches, this.#watches.size);
    const timeout = setTimeout(() => watch.end(), Number(request.query.get("timeoutSeconds") ?? 1_800) * 1_000).unref();
    response.on("close", () => {
      clearTimeout(timeout);
      this.#watches.delete(watch);
      this.#changes.notify();
    });
    if (!events) watch.fail(statusOf(410, `too old resource version: ${version} (${this.#store.version})`));
    else if (version > this.#store.version) {
      watch.fail(statusOf(504, `Too large resource version: ${version}, current: ${this.#store.version}`));
    } else watch.publish(events);
    this.#changes.notify();
  }
}

function answer(response: ServerResponse, body: object | FakeStatus, retryAfterSeconds?: number): void {
  const code = "kind" in body && body.kind === "Status" && "code" in body ? (body.code as number) : 200;
  response
    .writeHead(code, {
      "content-type": "application/json",
      ...(retryAfterSeconds !== undefined && { "retry-after": String(retryAfterSeconds) }),
    })
    .end(JSON.stringify(body));
}
