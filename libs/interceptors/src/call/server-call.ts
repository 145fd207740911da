import {
  type Metadata,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerMethodDefinition,
  status,
} from "@grpc/grpc-js";
import { withWellFormedDetails } from "./well-formed.ts";

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
  /** Whether no cancellation can come with the half-close: a request that is no stream, or a call whose half-close has waited. */
  readonly #hasSettled: boolean;
  #listener: Listener | undefined;
  #isStarted = false;
  #hasEnded = false;
  /** What has arrived while `onStart` was at work. */
  #waiting: (() => void)[] | undefined;

  constructor(
    { requestStream }: ServerMethodDefinition<unknown, unknown>,
    next: ServerInterceptingCallInterface,
    hooks: ServerCallHooks,
  ) {
    super(next);
    this.#next = next;
    this.#hooks = hooks;
    this.#hasSettled = !requestStream || next instanceof WatchedServerCall;
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
      onReceiveHalfClose: () => this.#settle(() => this.#enter(() => listener.onReceiveHalfClose())),
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
    const sent = withWellFormedDetails(end, end.details);
    this.#end(sent);
    this.#next.sendStatus(sent);
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

  /**
   * Waits for a cancellation that comes with the half-close of a stream, which is two turns of the event loop. A client that is gone ends the
   * stream first, and Node's clients half-close a stream just before they reset it: a handler that answers at once would seem to end the call.
   */
  #settle(halfClose: () => void): void {
    if (this.#hasSettled) halfClose();
    else setImmediate(() => setImmediate(halfClose));
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
