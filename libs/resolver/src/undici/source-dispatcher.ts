import type { EventEmitter } from "node:events";
import { isIPv6 } from "node:net";
import { type Context, completeContext, maxDurationMs } from "@grpc-lb/core";
import { type Address, DiscoveryError, type Snapshot, type Source, type Subscription } from "@grpc-lb/discovery";
import { Agent, Dispatcher, errors } from "undici";
import { describeNoEndpoints } from "../describe-no-endpoints.ts";
import { BalancedRequest, type RequestOwner } from "./balanced-request.ts";
import { DispatcherDiagnostics } from "./diagnostics.ts";
import type { DispatcherParts } from "./dispatcher-options.ts";
import { readRequestOptions } from "./request-options.ts";
import { type Choice, Rotation } from "./rotation.ts";
import { type DispatcherStats, EndpointCounts } from "./stats.ts";

/** `closed` lets requests in flight end, `destroyed` ends them. */
type State = "open" | "closed" | "destroyed";

/** As many attempts as gRPC's retries have at most. */
const maxConnectAttempts = 5;

/** A `BalancedDispatcher` in any context: see there. */
export class SourceDispatcher extends Dispatcher {
  readonly #source: Source;
  readonly #agent: Agent;
  readonly #rotation: Rotation;
  readonly #owner: RequestOwner = {
    onConnected: ({ choice }) => choice && this.#rotation.connected(choice.endpoint),
    onUnreachable: (request) => this.#sendElsewhere(request),
    onEnded: (request) => {
      this.#stopCounting(request);
      this.#stopWaiting(request);
    },
    onFinished: (request) => this.#stopCounting(request),
  };
  readonly #diagnostics: DispatcherDiagnostics;
  readonly #counts = new EndpointCounts();
  readonly #target: string | undefined;
  readonly #waiting = new Set<BalancedRequest>();
  /** Keeps the process alive while requests wait. */
  #hold: NodeJS.Timeout | undefined;
  #state: State = "open";
  #subscription: Subscription | undefined;
  #latest: Snapshot | undefined;
  #sourceEnded: Promise<void> | undefined;

  constructor({ source, target, agentOptions }: DispatcherParts, context: Context) {
    super();
    this.#source = source;
    this.#target = target;
    this.#diagnostics = new DispatcherDiagnostics(target);
    this.#agent = new Agent(agentOptions);
    this.#rotation = new Rotation(completeContext(context));
    for (const event of ["connect", "disconnect", "connectionError", "drain"]) {
      (this.#agent as EventEmitter).on(event, (...args) => (this as EventEmitter).emit(event, ...args));
    }
    for (const [event, isOpen] of [
      ["connect", true],
      ["disconnect", false],
    ] as const) {
      (this.#agent as EventEmitter).on(event, (origin: URL) => {
        this.#diagnostics.publishConnection(origin, isOpen, this.#latest?.endpoints ?? []);
      });
    }
  }

  /** What is known now, for metrics. Costs nothing until it is called. */
  stats(): DispatcherStats {
    const endpoints = (this.#latest?.endpoints ?? []).map((endpoint) => ({
      endpoint,
      isInBackoff: this.#rotation.isInBackoff(endpoint),
      picks: this.#counts.of(endpoint).picks,
      inFlight: this.#counts.of(endpoint).inFlight,
    }));
    return {
      target: this.#target,
      subject: this.#source.subject,
      endpoints,
      waiting: this.#waiting.size,
      error: this.#latest?.error?.message,
    };
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
    this.#subscription ??= this.#source.subscribe((snapshot) => this.#receive(snapshot));
    this.#waiting.add(request);
    request.start();
    if (!this.#waiting.has(request)) return true; // it was aborted, or this closed, by the caller
    if (this.#latest) return this.#sendFirst(request, this.#latest);
    this.#hold ??= setInterval(() => {}, maxDurationMs);
    return false;
  }

  /** Resolves when the requests in flight and the subscription have ended. */
  override close(): Promise<void>;
  override close(callback: () => void): void;
  override close(callback?: () => void): Promise<void> | void {
    if (this.#state === "open") this.#end("closed", new errors.ClientClosedError());
    const agentClosed = this.#agent.destroyed ? this.#agent.destroy() : this.#agent.close();
    return settle([agentClosed, this.#sourceEnded], callback);
  }

  /** Resolves when the requests in flight are cut off, and the subscription has ended. */
  override destroy(): Promise<void>;
  override destroy(error: Error | null): Promise<void>;
  override destroy(callback: () => void): void;
  override destroy(error: Error | null, callback: () => void): void;
  override destroy(...args: [(Error | null | (() => void))?, (() => void)?]): Promise<void> | void {
    const [first, second] = args;
    const [error, callback] = typeof first === "function" ? [null, first] : [first ?? null, second];
    this.#end("destroyed", error ?? new errors.ClientDestroyedError());
    return settle([this.#agent.destroy(error), this.#sourceEnded], callback);
  }

  #end(state: State, error: Error): void {
    const wasOpen = this.#state === "open";
    this.#state = state;
    this.#latest = undefined;
    this.#sourceEnded ??= this.#subscription?.close();
    for (const request of this.#waiting) request.fail(error);
    if (wasOpen) this.#diagnostics.publishEnd();
  }

  #closedError(): Error {
    return this.#state === "closed" ? new errors.ClientClosedError() : new errors.ClientDestroyedError();
  }

  #receive(snapshot: Snapshot): void {
    if (this.#state !== "open") return;
    const before = this.#latest;
    this.#latest = snapshot;
    this.#diagnostics.publishSnapshot(snapshot, before);
    const [first] = this.#waiting;
    for (const request of this.#waiting) {
      if (!this.#latest) return; // the one before closed this dispatcher, and the others have ended
      try {
        this.#sendFirst(request, this.#latest);
      } catch (error) {
        request.fail(error as Error);
      }
    }
    if (first) this.emit("drain", first.options.origin);
  }

  #sendFirst(request: BalancedRequest, snapshot: Snapshot): boolean {
    this.#stopWaiting(request);
    const choice = this.#rotation.next(snapshot.endpoints ?? [], request.tried);
    if (choice) return this.#sendTo(choice, request);
    const code = snapshot.error?.code ?? "unavailable";
    request.fail(new DiscoveryError(code, describeNoEndpoints(snapshot), { cause: snapshot.error }));
    return true;
  }

  /** Whether there is an endpoint to try after one that no connection could be opened to. */
  #sendElsewhere(request: BalancedRequest): boolean {
    const { choice, tried, aborted } = request;
    if (!choice) return false;
    this.#stopCounting(request);
    this.#rotation.failed(choice.endpoint);
    tried.add(choice.endpoint);
    if (aborted || choice.isLastResort || tried.size >= maxConnectAttempts) return false;
    // After `close` and `destroy` there is no latest snapshot.
    const next = this.#rotation.next(this.#latest?.endpoints ?? [], tried);
    if (next) this.#sendTo(next, request);
    return next !== undefined;
  }

  #sendTo(choice: Choice, request: BalancedRequest): boolean {
    request.choice = choice;
    request.countedAt = choice.endpoint;
    this.#counts.begin(choice.endpoint);
    this.#diagnostics.publishPick(choice.endpoint);
    const { host, port } = choice.endpoint.addresses[0] as Address;
    const origin = `${request.options.origin.protocol}//${isIPv6(host) ? `[${host}]` : host}:${port}`;
    return this.#agent.dispatch({ ...request.options, origin }, request);
  }

  #stopCounting(request: BalancedRequest): void {
    if (request.countedAt) this.#counts.end(request.countedAt);
    request.countedAt = undefined;
  }

  #stopWaiting(request: BalancedRequest): void {
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
