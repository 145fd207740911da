import type { Readable } from "node:stream";
import type { Dispatcher } from "undici";
import type { RequestOptions } from "./request-options.ts";
import type { Choice } from "./rotation.ts";

type Handler = Dispatcher.DispatchHandler;
type Controller = Dispatcher.DispatchController;
type Raw = NonNullable<Controller["rawHeaders"]> | null;

/** What a request tells the one who sends it. */
export interface RequestOwner {
  /** There is a connection to the endpoint that was chosen. */
  onConnected(request: BalancedRequest): void;
  /** No connection could be opened to the endpoint that was chosen; whether another is tried. */
  onUnreachable(request: BalancedRequest): boolean;
  /** It needs not be sent any more. */
  onEnded(request: BalancedRequest): void;
}

type State =
  /** It waits for an endpoint, or for a connection to one: nothing of it was sent, nothing of its body read. */
  | { readonly t: "unsent" }
  /** It is on a connection, which this controls. */
  | { readonly t: "sent"; readonly controller: Controller }
  /** It has ended without being sent, and its handler knows. */
  | { readonly t: "ended"; readonly reason: Error; readonly isAborted: boolean };

/**
 * A request between the one who made it and its connection. It has a controller from the start, so that an abort is obeyed at
 * once, and a request that is not sent by then never is. As undici tells a request only when its connection is there, what
 * fails before has left no trace at any endpoint, and may be tried on another.
 */
export class BalancedRequest implements Handler, Controller {
  readonly options: RequestOptions;
  /** The last endpoint that was chosen for it. */
  choice: Choice | undefined;
  /** Those that no connection could be opened to. */
  readonly tried = new Set<Choice["endpoint"]>();
  readonly #handler: Handler;
  readonly #owner: RequestOwner;
  readonly #body: Readable | undefined;
  readonly #onBodyError = (error: Error) => this.abort(error);
  #state: State = { t: "unsent" };
  #isPaused = false;

  constructor(options: RequestOptions, handler: Handler, owner: RequestOwner) {
    this.options = options;
    this.#handler = handler;
    this.#owner = owner;
    const body = options.body as Partial<Readable> | null | undefined;
    this.#body = typeof body?.on === "function" ? (body as Readable) : undefined;
  }

  /** To be called once, when the request is where its end looks for it. */
  start(): void {
    this.#body?.on("error", this.#onBodyError); // until undici listens, nobody else does: it would end the process
    try {
      this.#handler.onRequestStart?.(this, null);
    } catch (error) {
      this.abort(error as Error); // as undici does
    }
  }

  /** Ends it with an error that is none of its own, if it is not sent yet. */
  fail(error: Error): void {
    if (this.#state.t === "unsent") this.#end(error, false);
  }

  get aborted(): boolean {
    const state = this.#state;
    return state.t === "sent" ? state.controller.aborted : state.t === "ended" && state.isAborted;
  }

  get reason(): Error | null {
    const state = this.#state;
    if (state.t === "sent") return state.controller.reason;
    return state.t === "ended" && state.isAborted ? state.reason : null;
  }

  get paused(): boolean {
    return this.#sent?.paused ?? this.#isPaused;
  }

  get rawHeaders(): Raw {
    return this.#sent?.rawHeaders ?? null;
  }

  get rawTrailers(): Raw {
    return this.#sent?.rawTrailers ?? null;
  }

  abort(reason: Error): void {
    if (this.#state.t === "unsent") this.#end(reason, true);
    else this.#sent?.abort(reason);
  }

  pause(): void {
    this.#isPaused = true;
    this.#sent?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#sent?.resume();
  }

  onRequestStart(controller: Controller): void {
    this.#owner.onConnected(this);
    if (this.#state.t === "ended") {
      controller.abort(this.#state.reason);
      return;
    }
    this.#state = { t: "sent", controller };
    this.#body?.off("error", this.#onBodyError);
    if (this.#isPaused) controller.pause();
  }

  onRequestUpgrade(...args: Parameters<NonNullable<Handler["onRequestUpgrade"]>>): void {
    this.#handler.onRequestUpgrade?.(...args);
  }

  onResponseStarted(): void {
    this.#handler.onResponseStarted?.();
  }

  onResponseStart(...args: Parameters<NonNullable<Handler["onResponseStart"]>>): void {
    this.#handler.onResponseStart?.(...args);
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    this.#handler.onResponseData?.(controller, chunk);
  }

  onResponseEnd(...args: Parameters<NonNullable<Handler["onResponseEnd"]>>): void {
    this.#handler.onResponseEnd?.(...args);
  }

  onResponseError(controller: Controller, error: Error): void {
    const state = this.#state;
    if (state.t === "sent") {
      this.#handler.onResponseError?.(controller, error);
    } else if (state.t === "ended" && state.reason === error) {
      // The abort of a connection that came too late; the handler knows.
    } else if (!isConnectError(error) || !this.#owner.onUnreachable(this)) {
      this.fail(error);
    }
  }

  onBodySent(chunk: Buffer): void {
    this.#handler.onBodySent?.(chunk);
  }

  onRequestSent(): void {
    this.#handler.onRequestSent?.();
  }

  get #sent(): Controller | undefined {
    return this.#state.t === "sent" ? this.#state.controller : undefined;
  }

  #end(reason: Error, isAborted: boolean): void {
    this.#state = { t: "ended", reason, isAborted };
    this.#body?.off("error", this.#onBodyError);
    this.#owner.onEnded(this);
    try {
      this.#handler.onResponseError?.(this, reason);
    } catch (error) {
      process.emitWarning(error instanceof Error ? error : new Error(String(error))); // it must not keep other requests from their end
    }
  }
}

/**
 * Of the errors that come before a request is sent: undici's own codes are for requests that are wrong and dispatchers that
 * are closed, but for its connect timeout; the codes of sockets and of TLS are for connections that did not come about.
 */
function isConnectError({ code }: NodeJS.ErrnoException): boolean {
  return code !== undefined && (code === "UND_ERR_CONNECT_TIMEOUT" || !String(code).startsWith("UND_ERR_"));
}
