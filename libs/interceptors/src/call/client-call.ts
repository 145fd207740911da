import { InterceptingCall, type InterceptingListener, type Metadata, type StatusObject } from "@grpc/grpc-js";

/** The call below an interceptor: that of the next one, or grpc-js's own. */
export type NextClientCall = ConstructorParameters<typeof InterceptingCall>[0];
type MessageContext = Parameters<InterceptingCall["sendMessageWithContext"]>[0];

/** What happens to a call. */
export interface ClientCallHooks {
  /** Before the call starts; it may add metadata. */
  readonly onStart?: (metadata: Metadata) => void;
  /** Starts the call below. */
  readonly run?: (start: () => void) => void;
  /** Once, with the status that the application is about to get. */
  readonly onEnd: (status: StatusObject) => void;
}

/**
 * Watches a call, and passes everything on at once. It overrides what it passes on, because grpc-js's `Requester` and `Listener` make a
 * dozen closures a call.
 */
export class WatchedClientCall extends InterceptingCall {
  readonly #next: NextClientCall;
  readonly #hooks: ClientCallHooks;

  constructor(next: NextClientCall, hooks: ClientCallHooks) {
    super(next);
    this.#next = next;
    this.#hooks = hooks;
  }

  override start(metadata: Metadata, listener?: Partial<InterceptingListener>): void {
    const { onStart, run, onEnd } = this.#hooks;
    onStart?.(metadata);
    const watching: InterceptingListener = {
      onReceiveMetadata: (received) => listener?.onReceiveMetadata?.(received),
      onReceiveMessage: (message) => listener?.onReceiveMessage?.(message),
      onReceiveStatus: (status) => {
        onEnd(status);
        listener?.onReceiveStatus?.(status);
      },
    };
    if (run) run(() => this.#next.start(metadata, watching));
    else this.#next.start(metadata, watching);
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
}
