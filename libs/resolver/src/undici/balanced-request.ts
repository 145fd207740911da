import type { Readable } from "node:stream";
import type { Dispatcher } from "undici";
import type { RequestOptions } from "./request-options.ts";
import type { Choice } from "./rotation.ts";

type Handler = Dispatcher.DispatchHandler;
type Controller = Dispatcher.DispatchController;
type Raw = NonNullable<Controller["rawHeaders"]> | null;

/** Receives what becomes of a request; sends it. */
export interface RequestOwner {
  /** A connection to the chosen endpoint was opened. */
  onConnected(request: BalancedRequest): void;
  /** No connection could be opened to the chosen endpoint. @returns whether another one is tried */
  onUnreachable(request: BalancedRequest): boolean;
  /** It ended without being sent. */
  onEnded(request: BalancedRequest): void;
  /** It was sent, and has ended: with its answer, an error, or as another protocol. */
  onFinished(request: BalancedRequest): void;
}

type State =
  /** Waits for an endpoint, or for a connection to one: nothing of it is sent, nothing of its body read. */
  | { readonly t: "unsent" }
  /** On a connection, which `controller` controls. */
  | { readonly t: "sent"; readonly controller: Controller }
  /** Ended without being sent; its handler has received the reason. */
  | { readonly t: "ended"; readonly reason: Error; readonly isAborted: boolean };

/**
 * A request between its maker and its connection. It is a controller from the start, so that an abort takes effect at once, and
 * a request that is not sent by then never is. undici calls `onRequestStart` when the connection is open: what fails before has
 * left no trace at any endpoint, and may be tried on another.
 */
export class BalancedRequest implements Handler, Controller {
  readonly options: RequestOptions;
  /** The endpoint that was chosen last. */
  choice: Choice | undefined;
  /** The endpoint whose stats count it now. */
  countedAt: Choice["endpoint"] | undefined;
  /** Endpoints that no connection could be opened to. */
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

  /** Must be called once, when the owner is ready for `onEnded`. */
  start(): void {
    this.#body?.on("error", this.#onBodyError); // an error without a listener, as long as undici has none, would end the process
    try {
      this.#handler.onRequestStart?.(this, null);
    } catch (error) {
      this.abort(error as Error); // as undici does
    }
  }

  /** Ends it with an error that is not an abort, if it is not sent yet. */
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
    this.#owner.onFinished(this);
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
    this.#owner.onFinished(this);
    this.#handler.onResponseEnd?.(...args);
  }

  onResponseError(controller: Controller, error: Error): void {
    const state = this.#state;
    if (state.t === "sent") {
      this.#owner.onFinished(this);
      this.#handler.onResponseError?.(controller, error);
    } else if (state.t === "ended" && state.reason === error) {
      // The connection that came too late was aborted; the handler has its reason.
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
      process.emitWarning(error instanceof Error ? error : new Error(String(error))); // a throwing handler must not keep other requests waiting
    }
  }
}

/**
 * Whether an error before the request is sent is one of its connection: undici's own codes mean a request that is not valid or a
 * dispatcher that is closed, except for its connect timeout; the codes of sockets and of TLS mean a failed connection.
 */
function isConnectError({ code }: NodeJS.ErrnoException): boolean {
  return code !== undefined && (code === "UND_ERR_CONNECT_TIMEOUT" || !String(code).startsWith("UND_ERR_"));
}
