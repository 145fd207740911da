import type { EventEmitter } from "node:events";
import { isIPv6 } from "node:net";
import { type Clock, type Random, systemClock } from "@grpc-lb/core";
import { type Address, DiscoveryError, type Snapshot, type Source } from "@grpc-lb/discovery";
import { Agent, Dispatcher, errors } from "undici";
import { SharedSource } from "../shared-source.ts";
import { whyNone } from "../why-none.ts";
import { BalancedRequest, type RequestOwner } from "./balanced-request.ts";
import { readRequestOptions } from "./request-options.ts";
import { type Choice, Rotation } from "./rotation.ts";

/** Options of the connections to endpoints, as undici's Agent takes them, and: */
export interface BalancedDispatcherOptions extends Agent.Options {
  /** Draws the endpoint to begin with, and how long one is left out. Default: Math.random. */
  readonly random?: Random;
  readonly clock?: Clock;
}

/** `closed` lets requests under way end, `destroyed` ends them. */
type State = "open" | "closed" | "destroyed";

/** As many attempts as gRPC's retries have at most. */
const maxConnectAttempts = 5;

/** A longer timer of Node would end after a millisecond. */
const maxTimerMs = 2 ** 31 - 1;

/**
 * Spreads HTTP requests over the endpoints of a source, one after the other, whatever host their URL names: the URL gives
 * scheme, path and `Host`, the source gives the address (the first of an endpoint). Until the source knows anything, requests
 * wait for it; with no endpoint at all, they fail with a message that says why. Requests under way on an endpoint that leaves
 * end normally.
 *
 * ```ts
 * const source = createKubernetesSource({ service: "server", port: "http", background: true });
 * const dispatcher = new BalancedDispatcher(source);
 * await fetch("http://server/pod", { dispatcher });
 * ```
 *
 * An endpoint that no connection could be opened to is left out while there is another: at first for up to 1 s, with each
 * failure for up to twice as long, 30 s at most. The request itself goes on to the next endpoint, up to five of them, whatever
 * its method and body: nothing of it was sent. When none is left it fails with the last error. What fails once it is sent is
 * not repeated; compose `interceptors.retry` of undici for that, which comes to the next endpoint with each attempt.
 *
 * Watching begins with the first request and ends with `close` or `destroy`; requests that wait then fail. Requests that wait
 * keep the process alive; whether the watch does is up to the source (`background`).
 */
export class BalancedDispatcher extends Dispatcher {
  readonly #shared: SharedSource;
  readonly #agent: Agent;
  readonly #rotation: Rotation;
  readonly #onSnapshot = () => this.#sendWaiting();
  readonly #owner: RequestOwner = {
    onConnected: ({ choice }) => choice && this.#rotation.connected(choice.endpoint),
    onUnreachable: (request) => this.#sendElsewhere(request),
    onEnded: (request) => this.#forget(request),
  };
  readonly #waiting = new Set<BalancedRequest>();
  /** Keeps the process alive. */
  #hold: NodeJS.Timeout | undefined;
  #state: State = "open";
  #isWatching = false;
  #watchEnded: Promise<void> | undefined;

  constructor(source: Source, options: BalancedDispatcherOptions = {}) {
    super();
    const { random = Math.random, clock = systemClock, ...agentOptions } = options;
    this.#shared = new SharedSource(source, { clock, random });
    this.#agent = new Agent(agentOptions);
    this.#rotation = new Rotation({ clock, random });
    for (const event of ["connect", "disconnect", "connectionError", "drain"]) {
      (this.#agent as EventEmitter).on(event, (...args) => (this as EventEmitter).emit(event, ...args));
    }
  }

  /** @returns false when the caller should wait for `drain` before the next one, as every Dispatcher does */
  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    if (!handler.onRequestStart || !handler.onResponseError) {
      // An older undici, such as the one in Node's own fetch, would wait for ever.
      throw new errors.InvalidArgumentError("this fetch is of an older undici; give it a Dispatcher1Wrapper of undici");
    }
    let request: BalancedRequest;
    try {
      if (this.#state !== "open") throw this.#closedError();
      request = new BalancedRequest(readRequestOptions(options), handler, this.#owner);
    } catch (error) {
      handler.onResponseError(null as never, error as Error); // as undici's dispatchers do: there is no controller yet
      return true;
    }
    if (!this.#isWatching) {
      this.#isWatching = true;
      this.#shared.subscribe(this.#onSnapshot);
    }
    this.#waiting.add(request);
    request.start();
    if (!this.#waiting.has(request)) return true; // it was aborted, or this closed, by the caller
    const snapshot = this.#shared.latest;
    if (snapshot) return this.#sendFirst(request, snapshot);
    this.#hold ??= setInterval(() => {}, maxTimerMs);
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
    for (const request of this.#waiting) request.fail(error);
  }

  #closedError(): Error {
    return this.#state === "closed" ? new errors.ClientClosedError() : new errors.ClientDestroyedError();
  }

  #sendWaiting(): void {
    const [first] = this.#waiting;
    for (const request of this.#waiting) {
      const snapshot = this.#shared.latest;
      if (!snapshot) return; // the one before closed this dispatcher, and the others have ended
      try {
        this.#sendFirst(request, snapshot);
      } catch (error) {
        request.fail(error as Error);
      }
    }
    if (first) this.emit("drain", first.options.origin);
  }

  #sendFirst(request: BalancedRequest, snapshot: Snapshot): boolean {
    this.#forget(request);
    const choice = this.#rotation.next(snapshot.endpoints ?? [], request.tried);
    if (choice) return this.#sendTo(choice, request);
    const code = snapshot.error?.code ?? "unavailable";
    request.fail(new DiscoveryError(code, whyNone(snapshot), { cause: snapshot.error }));
    return true;
  }

  /** Whether there is an endpoint to try after one that no connection could be opened to. */
  #sendElsewhere(request: BalancedRequest): boolean {
    const { choice, tried, aborted } = request;
    if (!choice) return false;
    this.#rotation.failed(choice.endpoint);
    tried.add(choice.endpoint);
    if (aborted || choice.isLastResort || tried.size >= maxConnectAttempts) return false;
    // After `close` and `destroy` nothing is known any more.
    const next = this.#rotation.next(this.#shared.latest?.endpoints ?? [], tried);
    if (next) this.#sendTo(next, request);
    return next !== undefined;
  }

  #sendTo(choice: Choice, request: BalancedRequest): boolean {
    request.choice = choice;
    const { host, port } = choice.endpoint.addresses[0] as Address;
    const origin = `${request.options.origin.protocol}//${isIPv6(host) ? `[${host}]` : host}:${port}`;
    return this.#agent.dispatch({ ...request.options, origin }, request);
  }

  /** It does not wait any more. */
  #forget(request: BalancedRequest): void {
    if (!this.#waiting.delete(request) || this.#waiting.size > 0) return;
    clearInterval(this.#hold);
    this.#hold = undefined;
  }
}

function settle(work: readonly (Promise<unknown> | undefined)[], callback?: () => void): Promise<void> | void {
  const settled = Promise.all(work).then(() => {});
  if (!callback) return settled;
  void settled.then(callback);
}
