import type { EventEmitter } from "node:events";
import { isIPv6 } from "node:net";
import { type Address, DiscoveryError, type Snapshot, type Source } from "@grpc-lb/discovery";
import { type Random, systemClock } from "@grpc-lb/runtime";
import { Agent, Dispatcher, errors } from "undici";
import { SharedSource } from "../shared-source.ts";
import { whyNone } from "../why-none.ts";
import { WaitingRequest } from "./waiting-request.ts";

type Options = Dispatcher.DispatchOptions;
type Handler = Dispatcher.DispatchHandler;

/** Options of the connections to endpoints, as undici's Agent takes them, and: */
export interface BalancedDispatcherOptions extends Agent.Options {
  /** Draws the endpoint to begin with, so that clients do not all begin with the same. Default: Math.random. */
  readonly random?: Random;
}

/** `closed` lets requests under way end, `destroyed` ends them. */
type State = "open" | "closed" | "destroyed";

/**
 * Spreads HTTP requests over the endpoints of a source, one after the other, whatever host their URL names: the URL gives
 * scheme, path and `Host`, the source gives the address (the first of an endpoint). Until the source knows anything, requests
 * wait for it; with no endpoint at all, they fail with a message that says why. Requests under way on an endpoint that leaves
 * end normally.
 *
 * ```ts
 * const dispatcher = new BalancedDispatcher(createKubernetesSource({ service: "server", port: "http" }));
 * await fetch("http://server/pod", { dispatcher });
 * ```
 *
 * Watching begins with the first request and ends with `close` or `destroy`; requests that wait then fail.
 */
export class BalancedDispatcher extends Dispatcher {
  readonly #shared: SharedSource;
  readonly #agent: Agent;
  readonly #onSnapshot = () => this.#send();
  readonly #waiting = new Set<WaitingRequest>();
  #state: State = "open";
  #isWatching = false;
  #watchEnded: Promise<void> | undefined;
  #next: number;

  constructor(source: Source, { random = Math.random, ...agentOptions }: BalancedDispatcherOptions = {}) {
    super();
    this.#shared = new SharedSource(source, { clock: systemClock, random });
    this.#agent = new Agent(agentOptions);
    this.#next = Math.floor(random() * 2 ** 16);
    for (const event of ["connect", "disconnect", "connectionError", "drain"]) {
      (this.#agent as EventEmitter).on(event, (...args) => (this as EventEmitter).emit(event, ...args));
    }
  }

  /** @returns false when the caller should wait for `drain` before the next one, as every Dispatcher does */
  override dispatch(options: Options, handler: Handler): boolean {
    if (!handler.onRequestStart || !handler.onResponseError) {
      // An older undici, such as the one in Node's own fetch, would wait for ever.
      throw new errors.InvalidArgumentError("this fetch is of an older undici; give it a Dispatcher1Wrapper of undici");
    }
    if (this.#state !== "open") return refuse(handler, this.#closedError());
    if (!this.#isWatching) {
      this.#isWatching = true;
      this.#shared.subscribe(this.#onSnapshot);
    }
    const snapshot = this.#shared.latest;
    if (snapshot) return this.#dispatchTo(snapshot, options, handler);
    const request = new WaitingRequest(options, handler, () => this.#waiting.delete(request));
    this.#waiting.add(request);
    request.start();
    return false;
  }

  /** Resolves when the requests under way have ended, and the watch has. */
  override close(): Promise<void>;
  override close(callback: () => void): void;
  override close(callback?: () => void): Promise<void> | void {
    if (this.#state === "open") this.#end("closed", new errors.ClientClosedError());
    const agentClosed = this.#agent.destroyed ? this.#agent.destroy() : this.#agent.close();
    return settle([agentClosed, this.#watchEnded], callback);
  }

  /** Resolves when the requests under way were cut off, and the watch has ended. */
  override destroy(): Promise<void>;
  override destroy(error: Error | null): Promise<void>;
  override destroy(callback: () => void): void;
  override destroy(error: Error | null, callback: () => void): void;
  override destroy(...args: [(Error | null | (() => void))?, (() => void)?]): Promise<void> | void {
    const [first, second] = args;
    const [error, callback] = typeof first === "function" ? [null, first] : [first ?? null, second];
    this.#end("destroyed", error ?? new errors.ClientDestroyedError());
    return settle([this.#agent.destroy(error), this.#watchEnded], callback);
  }

  #end(state: State, error: Error): void {
    this.#state = state;
    this.#watchEnded ??= this.#shared.unsubscribe(this.#onSnapshot);
    for (const request of [...this.#waiting]) request.abort(error);
  }

  #closedError(): Error {
    return this.#state === "closed" ? new errors.ClientClosedError() : new errors.ClientDestroyedError();
  }

  #send(): void {
    const requests = [...this.#waiting];
    this.#waiting.clear();
    for (const request of requests) {
      const snapshot = this.#shared.latest;
      if (snapshot && !request.aborted) this.#dispatchTo(snapshot, request.options, request);
      else request.abort(this.#closedError()); // the one before closed this dispatcher
    }
    const [first] = requests;
    if (first) this.emit("drain", urlOf(first.options));
  }

  #dispatchTo(snapshot: Snapshot, options: Options, handler: Handler): boolean {
    const address = this.#pick(snapshot);
    if (address === undefined) {
      const code = snapshot.error?.code ?? "unavailable";
      return refuse(handler, new DiscoveryError(code, whyNone(snapshot), { cause: snapshot.error }));
    }
    const { protocol } = urlOf(options);
    const origin = `${protocol}//${isIPv6(address.host) ? `[${address.host}]` : address.host}:${address.port}`;
    return this.#agent.dispatch({ ...options, origin, headers: withHost(options) }, handler);
  }

  #pick({ endpoints = [] }: Snapshot): Address | undefined {
    if (endpoints.length === 0) return undefined;
    this.#next = (this.#next + 1) % endpoints.length;
    return endpoints[this.#next]?.addresses[0];
  }
}

/** Fails a request the way undici's dispatchers do: before there is a controller. */
function refuse(handler: Handler, error: Error): true {
  if (!handler.onResponseError) throw error;
  handler.onResponseError(null as never, error);
  return true;
}

function settle(work: readonly (Promise<unknown> | undefined)[], callback?: () => void): Promise<void> | void {
  const settled = Promise.all(work).then(() => {});
  if (!callback) return settled;
  void settled.then(callback);
}

const urlOf = ({ origin }: Options): URL => new URL(origin ?? "http://localhost");

/** The host that the caller's URL names, unless the caller gave the header. */
function withHost(options: Options): NonNullable<Options["headers"]> {
  const headers = options.headers ?? {};
  if (options.origin === undefined) return headers;
  const { host } = urlOf(options);
  // Pairs become a list, as an object would lose names that are there more than once.
  const list = Array.isArray(headers) ? headers : isIterable(headers) ? ([...headers].flat() as string[]) : undefined;
  if (list) return hasHost(list.filter((_, i) => i % 2 === 0)) ? list : ["host", host, ...list];
  return hasHost(Object.keys(headers)) ? headers : { host, ...headers };
}

const hasHost = (names: readonly unknown[]): boolean => names.some((name) => String(name).toLowerCase() === "host");

function isIterable(value: object): value is Iterable<[string, string | string[] | undefined]> {
  return Symbol.iterator in value;
}
