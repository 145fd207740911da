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

/** What a fake API server has been asked for. */
export interface FakeCounts {
  /** Requests by verb, those refused included. */
  readonly get: number;
  readonly list: number;
  readonly watch: number;
  /** Watches that were let in. */
  readonly acceptedWatches: number;
  readonly openWatches: number;
  readonly maxOpenWatches: number;
  /** The most requests that were under way at the same time, watches included. */
  readonly maxInFlight: number;
  /** Connections open now. */
  readonly connections: number;
}

/**
 * A Kubernetes API server as far as discovery needs one, on a port of this machine: it lists with pages, watches with
 * bookmarks, goes on from a version, and says 410 when it is compacted. It can also do all that a real one does on a bad
 * day. It tells the truth: the same conformance tests run on it and on a real API server. `close()` leaves nothing.
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

  /** How a source reaches it. The same object each time, so that sources share their watches. With a token, it is sent. */
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

  /** All requests, in order, the refused ones too. */
  get requests(): readonly FakeRequest[] {
    return this.#log;
  }

  // ── What there is

  putSlice(...slices: readonly StoredSlice[]): void {
    this.#tell(slices.map((slice) => this.#store.put("endpointslices", slice)));
  }

  deleteSlice(name: string, namespace = "default"): void {
    this.#tell([this.#store.delete("endpointslices", namespace, name)]);
  }

  putService(service: StoredService): void {
    this.#tell([this.#store.put("services", service)]);
  }

  deleteService(name: string, namespace = "default"): void {
    this.#tell([this.#store.delete("services", namespace, name)]);
  }

  /** All changes that `change` makes are sent in one write. */
  batch(change: () => void): void {
    const batch: StoredEvent[] = [];
    this.#batch = batch;
    change();
    this.#batch = undefined;
    this.#tell(batch);
  }

  /** Forgets the changes so far: who goes on from a version given out before gets 410. */
  compact(): void {
    this.#store.compact();
    this.#pages.clear();
  }

  /** Has nothing any more, and counts versions from 1, as a server whose etcd is a new one; watches are not told. */
  forget(): void {
    this.#store = new FakeStore(1);
    this.#pages.clear();
  }

  // ── What it does to watches

  sendBookmark(): void {
    for (const watch of this.#watches) watch.bookmark(this.#store.version);
  }

  /** Sends text as it is to every watch, or to those of one resource. */
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

  // ── What is wrong with it

  /** Accepts and never answers: neither new requests nor open watches. With a verb, only new requests of that kind. */
  freeze(verb?: Verb, resource?: FakeRequest["resource"]): void {
    this.#frozen ??= { verb, resource, thawed: Promise.withResolvers<void>() };
    if (verb === undefined) for (const watch of this.#watches) watch.hold(true);
  }

  /** Says all that it has not said. */
  thaw(): void {
    this.#frozen?.thawed.resolve();
    this.#frozen = undefined;
    for (const watch of this.#watches) watch.hold(false);
  }

  /** Turns requests away with a status. */
  refuse(code: number, options: Parameters<FakeFaults["refuse"]>[1] = {}): void {
    this.#faults.refuse(code, options);
  }

  /** Ends `refuse` and `forbid`. */
  accept(): void {
    this.#faults.accept();
  }

  /** Has `answer` answer requests, as a broken server or a proxy would; those for which it returns false are answered as usual. */
  interfere(answer: ((request: FakeRequest, response: ServerResponse) => boolean) | undefined): void {
    this.#interfere = answer;
  }

  /** Takes away a right, as a missing Role does. */
  forbid(verb: Verb, resource: FakeRequest["resource"], user?: string): void {
    this.#faults.forbid(verb, resource, user);
  }

  /** Lets in this bearer token only: 401 for all others. */
  requireToken(token: string | undefined): void {
    this.#faults.token = token;
  }

  /** The next list tells only of the first `count` objects (consul-k8s PR#4409). */
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

  /** Ends all connections and listens no more. */
  async stop(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Listens again, on the port it had. */
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

  #tell(events: readonly (StoredEvent | undefined)[]): void {
    const some = events.filter((event) => event !== undefined);
    if (this.#batch) this.#batch.push(...some);
    else for (const watch of this.#watches) watch.tell(some);
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const request = readRequest(incoming);
    if (!request) return answer(response, statusOf(404, "the fake does not speak this"));
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
    const refusal = this.#faults.judge(request);
    if (refusal) return answer(response, refusal.status, refusal.retryAfterSeconds);
    if (this.#interfere?.(request, response)) return;
    if (request.verb === "watch") this.#watch(request, response);
    else this.#give(response, request.verb === "list" ? this.#list(request) : this.#get(request));
  }

  #give(response: ServerResponse, body: object): void {
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
    } else watch.tell(events);
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
