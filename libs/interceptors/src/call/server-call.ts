import { type Metadata, ServerInterceptingCall, type ServerInterceptingCallInterface, status } from "@grpc/grpc-js";

type Listener = Parameters<ServerInterceptingCall["start"]>[0];
/** What a server ends a call with. */
export type ServerStatus = Parameters<ServerInterceptingCall["sendStatus"]>[0];

/** What happens to a call. */
export interface ServerCallHooks {
  /**
   * When the call has arrived, before the handler. With a status, it ends the call, and the handler does not run; with a promise, the
   * handler waits.
   */
  readonly onStart?: (metadata: Metadata) => ServerStatus | undefined | Promise<ServerStatus | undefined>;
  /** For each message of the client. */
  readonly onReceived?: (message: unknown) => void;
  /** For each message of the handler, when it has been serialized. */
  readonly onSent?: (message: unknown) => void;
  /** Once, unless the call was over before it arrived. */
  readonly onEnd?: (end: ServerStatus) => void;
  /** Enters the handler, and each of its listeners. */
  readonly run?: (enter: () => void) => void;
}

const enterAtOnce = (enter: () => void): void => enter();

/** Watches a call of a server, and passes everything on. */
export class WatchedServerCall extends ServerInterceptingCall {
  readonly #next: ServerInterceptingCallInterface;
  readonly #hooks: ServerCallHooks;
  readonly #run: (enter: () => void) => void;
  #listener: Listener | undefined;
  #isStarted = false;
  #hasEnded = false;
  /** What has arrived while `onStart` was at work. */
  #waiting: (() => void)[] | undefined;

  constructor(next: ServerInterceptingCallInterface, hooks: ServerCallHooks) {
    super(next);
    this.#next = next;
    this.#hooks = hooks;
    this.#run = hooks.run ?? enterAtOnce;
  }

  override start(listener: Listener): void {
    this.#listener = listener;
    const { onReceived } = this.#hooks;
    this.#next.start({
      onReceiveMetadata: (metadata) => this.#begin(metadata),
      onReceiveMessage: (message) => {
        onReceived?.(message);
        this.#enter(() => listener.onReceiveMessage(message));
      },
      onReceiveHalfClose: () => this.#enter(() => listener.onReceiveHalfClose()),
      onCancel: () => {
        this.#waiting = undefined;
        this.#end(cancellation(this.#next));
        this.#run(() => listener.onCancel());
      },
    });
  }

  override sendMetadata(metadata: Metadata): void {
    this.#next.sendMetadata(metadata);
  }

  override sendMessage(message: unknown, callback: () => void): void {
    this.#next.sendMessage(message, callback);
    this.#hooks.onSent?.(message);
  }

  override sendStatus(end: ServerStatus): void {
    this.#end(end);
    this.#next.sendStatus(end);
  }

  #begin(metadata: Metadata): void {
    this.#isStarted = true;
    const refusal = this.#hooks.onStart?.(metadata);
    if (!(refusal instanceof Promise)) {
      this.#admit(metadata, refusal);
      return;
    }
    this.#waiting = [];
    void refusal.then((late) => this.#admit(metadata, late));
  }

  #admit(metadata: Metadata, refusal: ServerStatus | undefined): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (this.#hasEnded) return; // cancelled while it waited
    if (refusal) {
      this.sendStatus(refusal);
      return;
    }
    this.#run(() => this.#listener?.onReceiveMetadata(metadata));
    for (const enter of waiting ?? []) this.#run(enter);
  }

  #enter(enter: () => void): void {
    if (this.#waiting) this.#waiting.push(enter);
    else this.#run(enter);
  }

  #end(end: ServerStatus): void {
    if (this.#hasEnded || !this.#isStarted) return;
    this.#hasEnded = true;
    this.#hooks.onEnd?.(end);
  }
}

/**
 * grpc-js does not say why a call was cancelled; the deadline says whether it was that. A client whose deadline passes cancels, too, and
 * may be first: its deadline began a little earlier.
 */
function cancellation(call: ServerInterceptingCallInterface): ServerStatus {
  const isLate = Number(call.getDeadline()) - Date.now() <= 1; // timers fire up to 1 ms early
  if (isLate) return { code: status.DEADLINE_EXCEEDED, details: "Deadline exceeded" };
  return { code: status.CANCELLED, details: "Cancelled by the client" };
}
