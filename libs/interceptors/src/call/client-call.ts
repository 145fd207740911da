import { InterceptingCall, type InterceptingListener, type Metadata, type StatusObject } from "@grpc/grpc-js";

/** The call below an interceptor: that of the next one, or grpc-js's own. */
export type NextClientCall = ConstructorParameters<typeof InterceptingCall>[0];
type MessageContext = Parameters<InterceptingCall["sendMessageWithContext"]>[0];
type Listener = Partial<InterceptingListener>;

/** What happens to a call. */
export interface ClientCallHooks {
  /** Before the call starts; it may add metadata. */
  onStart?(metadata: Metadata): void;
  /** Starts the call below. */
  run?(start: () => void): void;
  /** Once, with the status that the application is about to get. */
  onEnd?(status: StatusObject): void;
  /** Whether OpenTelemetry's active context is read when the call starts, or code of the application runs then. */
  readonly readsContext: boolean;
}

/**
 * Watches a call, and passes everything on at once. Interceptors of this library that follow each other share one layer, because each
 * layer costs memory for as long as the call is open.
 */
export function watchClientCall(next: NextClientCall, hooks: ClientCallHooks): InterceptingCall {
  if (!(next instanceof WatchedClientCall)) return new WatchedClientCall(next, hooks);
  next.addOuter(hooks);
  return next;
}

/** Whether what is below an interceptor may read OpenTelemetry's active context when the call starts. */
export function readsContext(next: NextClientCall): boolean {
  return next instanceof WatchedClientCall ? next.readsContext : next instanceof InterceptingCall;
}

/** Overrides what it passes on, because grpc-js's `Requester` and `Listener` make a dozen closures a call. */
class WatchedClientCall extends InterceptingCall {
  readonly #next: NextClientCall;
  /** The innermost ones come first. */
  readonly #hooks: ClientCallHooks[];
  #readsContext: boolean;

  constructor(next: NextClientCall, hooks: ClientCallHooks) {
    super(next);
    this.#next = next;
    this.#hooks = [hooks];
    this.#readsContext = hooks.readsContext || readsContext(next);
  }

  get readsContext(): boolean {
    return this.#readsContext;
  }

  addOuter(hooks: ClientCallHooks): void {
    this.#hooks.push(hooks);
    this.#readsContext ||= hooks.readsContext;
  }

  override start(metadata: Metadata, listener: Listener = {}): void {
    this.#startFrom(this.#hooks.length - 1, metadata, new WatchingListener(listener, this.#hooks));
  }

  override sendMessageWithContext(context: MessageContext, message: unknown): void {
    this.#next.sendMessageWithContext(context, message);
  }

  override sendMessage(message: unknown): void {
    this.#next.sendMessage(message);
  }

  override halfClose(): void {
    this.#next.halfClose();
  }

  override cancelWithStatus(...reason: Parameters<InterceptingCall["cancelWithStatus"]>): void {
    this.#next.cancelWithStatus(...reason);
  }

  /** @param index that of the hooks which come next */
  #startFrom(index: number, metadata: Metadata, listener: WatchingListener): void {
    const hooks = this.#hooks[index];
    if (!hooks) {
      this.#next.start(metadata, listener);
      return;
    }
    hooks.onStart?.(metadata);
    if (hooks.run) hooks.run(() => this.#startFrom(index - 1, metadata, listener));
    else this.#startFrom(index - 1, metadata, listener);
  }
}

class WatchingListener implements InterceptingListener {
  readonly #listener: Listener;
  readonly #hooks: readonly ClientCallHooks[];

  constructor(listener: Listener, hooks: readonly ClientCallHooks[]) {
    this.#listener = listener;
    this.#hooks = hooks;
  }

  onReceiveMetadata(metadata: Metadata): void {
    this.#listener.onReceiveMetadata?.(metadata);
  }

  onReceiveMessage(message: unknown): void {
    this.#listener.onReceiveMessage?.(message);
  }

  onReceiveStatus(status: StatusObject): void {
    for (const hooks of this.#hooks) hooks.onEnd?.(status);
    this.#listener.onReceiveStatus?.(status);
  }
}
