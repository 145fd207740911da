import type { Dispatcher } from "undici";

type Handler = Dispatcher.DispatchHandler;
type Controller = Dispatcher.DispatchController;
type Raw = NonNullable<Controller["rawHeaders"]> | null;

/**
 * A request that waits until it is known where to send it. The one who made it has a controller from the start, so that an
 * abort is obeyed at once and the request is never sent; when it is sent, this stands between it and its connection.
 */
export class WaitingRequest implements Handler, Controller {
  readonly options: Dispatcher.DispatchOptions;
  readonly #handler: Handler;
  readonly #onAborted: () => void;
  #sent: Controller | undefined;
  #reason: Error | null = null;
  #isPaused = false;

  /** @param onAborted is called when the request needs not be sent any more */
  constructor(options: Dispatcher.DispatchOptions, handler: Handler, onAborted: () => void) {
    this.options = options;
    this.#handler = handler;
    this.#onAborted = onAborted;
  }

  /** To be called once, when the request is where its abort looks for it. */
  start(): void {
    this.#handler.onRequestStart?.(this, null);
  }

  get aborted(): boolean {
    return this.#sent?.aborted ?? this.#reason !== null;
  }

  get reason(): Error | null {
    return this.#sent?.reason ?? this.#reason;
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
    if (this.#sent) {
      this.#sent.abort(reason);
    } else if (this.#reason === null) {
      this.#reason = reason;
      this.#onAborted();
      this.#handler.onResponseError?.(this, reason);
    }
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
    this.#sent = controller;
    if (this.#reason !== null) controller.abort(this.#reason);
    else if (this.#isPaused) controller.pause();
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
    this.#handler.onResponseError?.(controller, error);
  }

  onBodySent(chunk: Buffer): void {
    this.#handler.onBodySent?.(chunk);
  }

  onRequestSent(): void {
    this.#handler.onRequestSent?.();
  }
}
