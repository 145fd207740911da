import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Address } from "../../src/core/snapshot.ts";
import { ChangeNotifier } from "../change-notifier.ts";
import { FakeStore, type HealthEntry, type RegisteredService } from "./fake-store.ts";

/** A parsed request. */
export interface FakeConsulRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly token: string | undefined;
  /** By the clock of `performance.now`. */
  readonly atMs: number;
}

/** Counts of a fake agent. */
export interface FakeConsulCounts {
  readonly requests: number;
  /** Blocking queries that wait for a change. */
  readonly waiting: number;
  readonly maxWaiting: number;
  readonly connections: number;
}

interface Refusal {
  readonly status: number;
  readonly text: string;
  readonly retryAfterSeconds: number | undefined;
  left: number;
}

/**
 * A fake of the part of a Consul agent that discovery and registration use, on a port of 127.0.0.1: blocking queries of a
 * service's health, registration and TTL checks. It runs no checks itself, and removes no critical instance. Tests can make it
 * fail in the ways of a real one. The same behaviours run on it and on a real agent. `close()` ends all connections and timers.
 */
export class FakeConsulAgent {
  readonly #sockets = new Set<Socket>();
  readonly #changes = new ChangeNotifier();
  readonly #store = new FakeStore(() => this.#changes.notify());
  readonly #log: FakeConsulRequest[] = [];
  readonly #server = createServer((request, response) => void this.#serve(request, response));
  #address: Address = { host: "127.0.0.1", port: 0 };
  #waiting = 0;
  #maxWaiting = 0;
  #thawed: PromiseWithResolvers<void> | undefined;
  #refusal: Refusal | undefined;
  #bodies: string[] = [];
  #token: string | undefined;
  #denies = false;
  #index: number | "absent" | undefined;
  #fault: ((request: FakeConsulRequest, response: ServerResponse) => boolean) | undefined;

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

  /** Starts one on a free port. */
  static async start(): Promise<FakeConsulAgent> {
    const agent = new FakeConsulAgent();
    await agent.start();
    return agent;
  }

  get address(): Address {
    return this.#address;
  }

  get counts(): FakeConsulCounts {
    const { length: requests } = this.#log;
    return { requests, waiting: this.#waiting, maxWaiting: this.#maxWaiting, connections: this.#sockets.size };
  }

  /** All requests, in order, including refused ones. */
  get requests(): readonly FakeConsulRequest[] {
    return this.#log;
  }

  /** All registered services, by id. */
  get registered(): ReadonlyMap<string, RegisteredService> {
    return this.#store.registered;
  }

  // ── Services

  put(service: RegisteredService, node?: HealthEntry["Node"]): void {
    this.#store.register(service, node);
  }

  remove(id: string): void {
    this.#store.deregister(id);
  }

  /** `passing`, `warning` or `critical`. */
  setStatus(id: string, status: string): void {
    this.#store.setStatus(id, status);
  }

  /** Removes all data, and answers waiting queries. */
  forget(): void {
    this.#store.clear();
  }

  /** Continues from another index, and answers waiting queries. */
  setIndex(index: number): void {
    this.#store.setIndex(index);
  }

  // ── Faults

  /** Sends this index with every answer, or none; undefined restores the true one. */
  answerWithIndex(index: number | "absent" | undefined): void {
    this.#index = index;
    this.#changes.notify();
  }

  /** Accepts requests without an answer until `thaw`. */
  freeze(): void {
    this.#thawed ??= Promise.withResolvers<void>();
  }

  thaw(): void {
    this.#thawed?.resolve();
    this.#thawed = undefined;
  }

  /** Refuses requests, including waiting ones: as many as `times`. Default: all until `accept`. */
  refuse(
    status: number,
    text: string,
    options: { readonly times?: number; readonly retryAfterSeconds?: number } = {},
  ): void {
    const { times: left = Number.POSITIVE_INFINITY, retryAfterSeconds } = options;
    this.#refusal = { status, text, retryAfterSeconds, left };
    this.#changes.notify();
  }

  accept(): void {
    this.#refusal = undefined;
  }

  /** Passes each request to `fault`. If it returns true, it has handled the request; otherwise the fake answers it. */
  interfere(fault: ((request: FakeConsulRequest, response: ServerResponse) => boolean) | undefined): void {
    this.#fault = fault;
  }

  /** Answers the next health queries with these bodies. */
  answerWith(...bodies: readonly string[]): void {
    this.#bodies.push(...bodies);
    this.#changes.notify();
  }

  /** Accepts only this token, as ACLs that deny by default: another one gets 403, and a request without a token gets no instances. */
  requireToken(token: string | undefined): void {
    this.#token = token;
    this.#changes.notify();
  }

  /** Hides all instances, as for a token without the right to read them. */
  hide(isHidden = true): void {
    this.#denies = isHidden;
    this.#changes.notify();
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
    this.#server.listen(this.#address.port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#address = { host: "127.0.0.1", port: (this.#server.address() as AddressInfo).port };
  }

  /** Ends for good. */
  async close(): Promise<void> {
    this.thaw();
    this.#store.clear();
    if (this.#server.listening) await this.stop();
  }

  /** Resolves as soon as the condition holds. @throws Error with the counts when it does not hold within 20 s */
  until(holds: (counts: FakeConsulCounts) => boolean): Promise<void> {
    return this.#changes.until(holds, () => this.counts);
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams: query } = new URL(incoming.url ?? "", "http://fake");
    const path = decodeURIComponent(pathname);
    const token = incoming.headers["x-consul-token"] as string | undefined;
    const request = { method: incoming.method ?? "", path, query, token, atMs: performance.now() };
    this.#log.push(request);
    response.on("close", () => this.#changes.notify());
    this.#changes.notify();
    let text = "";
    try {
      for await (const chunk of incoming.setEncoding("utf8")) text += chunk;
    } catch {
      return; // the client has gone
    }
    if (this.#fault?.(request, response)) return;
    while (this.#thawed && !response.destroyed) await Promise.race([this.#thawed.promise, this.#changes.next()]);
    if (this.#isRefused(response, token)) return;
    const [, health] = /^\/v1\/health\/service\/(.+)$/.exec(path) ?? [];
    if (health !== undefined) await this.#answerHealth(health, query, token, response);
    else this.#serveAgent(`${incoming.method} ${path}`, text, response);
  }

  #isRefused(response: ServerResponse, token: string | undefined): boolean {
    const refusal = this.#refusal;
    if (refusal && refusal.left > 0) {
      refusal.left -= 1;
      const { retryAfterSeconds: seconds } = refusal;
      response
        .writeHead(refusal.status, seconds === undefined ? {} : { "retry-after": String(seconds) })
        .end(refusal.text);
      return true;
    }
    const isUnknown = this.#token !== undefined && token !== undefined && token !== this.#token;
    if (isUnknown) response.writeHead(403).end("ACL not found");
    return isUnknown;
  }

  async #answerHealth(name: string, query: URLSearchParams, token: string | undefined, response: ServerResponse) {
    const requested = Number(query.get("index") ?? 0);
    const untilMs = performance.now() + Number.parseInt(query.get("wait") ?? "300000", 10);
    const mayWait = () => this.#index === undefined && this.#bodies.length === 0 && !this.#refusal && !this.#denies;
    if (requested > 0) {
      this.#waiting += 1;
      this.#maxWaiting = Math.max(this.#maxWaiting, this.#waiting);
      this.#changes.notify();
      // A lower index also ends the wait, as after a restart of the servers.
      while (mayWait() && this.#store.indexOf(name) === requested && !response.destroyed) {
        const leftMs = untilMs - performance.now();
        if (leftMs <= 0) break;
        await this.#changes.next(leftMs);
      }
      this.#waiting -= 1;
      while (this.#thawed && !response.destroyed) await Promise.race([this.#thawed.promise, this.#changes.next()]);
      if (response.destroyed || this.#isRefused(response, token)) return;
    }
    const tags = query.getAll("tag");
    const entries = this.#store
      .entries(name)
      .filter(({ Checks }) => !query.has("passing") || Checks?.every(({ Status }) => Status === "passing"))
      .filter(({ Service }) => tags.every((tag) => (Service as { Tags?: readonly string[] }).Tags?.includes(tag)));
    const isHidden = this.#denies || (this.#token !== undefined && token === undefined);
    const index = this.#index ?? this.#store.indexOf(name);
    const headers = {
      "content-type": "application/json",
      ...(index !== "absent" && { "x-consul-index": String(index) }),
      "x-consul-default-acl-policy": this.#token === undefined && !this.#denies ? "allow" : "deny",
      ...(isHidden && token !== undefined && { "x-consul-results-filtered-by-acls": "true" }),
    };
    response.writeHead(200, headers).end(this.#bodies.shift() ?? JSON.stringify(isHidden ? [] : entries));
  }

  /** Answers a request to `/v1/agent`. */
  #serveAgent(what: string, text: string, response: ServerResponse): void {
    const [, verb = "", id = ""] =
      /^(PUT \/v1\/agent\/(?:service\/(?:de)?register|check\/update)|GET \/v1\/agent\/service)\/?(.*)$/.exec(what) ??
      [];
    const unknown = (kind: string) => response.writeHead(404).end(`Unknown ${kind} ID "${id}".`);
    switch (verb) {
      case "PUT /v1/agent/service/register":
        this.#store.register(JSON.parse(text));
        break;
      case "PUT /v1/agent/service/deregister":
        if (!this.#store.deregister(id)) return void unknown("service");
        break;
      case "PUT /v1/agent/check/update":
        if (!this.#store.update(id, JSON.parse(text).Status)) return void unknown("check");
        break;
      case "GET /v1/agent/service": {
        const service = this.#store.registered.get(id);
        if (!service) return void unknown("service");
        return void response.writeHead(200).end(JSON.stringify({ ...service, Service: service.Name }));
      }
      default:
        return void response.writeHead(404).end("the fake does not support this path");
    }
    response.writeHead(200).end();
  }
}
