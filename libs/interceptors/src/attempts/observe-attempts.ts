import { subscribe } from "node:diagnostics_channel";
import type { ClientHttp2Stream } from "node:http2";
import { CallCredentials, type InterceptorOptions, Metadata, status } from "@grpc/grpc-js";
import { Attempt } from "./attempt.ts";

/** What happens to the attempts of a call. */
export interface AttemptListener {
  /** The first attempt starts with the call, by `ObservedCall.start`; a further one when a connection is picked for it. */
  readonly onStart: (attempt: Attempt) => void;
  /** Adds to the metadata of an attempt. */
  readonly addMetadata?: (attempt: Attempt, metadata: Metadata) => void;
  /** Once for each attempt; the end of the last one may be before the call's. */
  readonly onEnd: (attempt: Attempt, code: status) => void;
}

/** The attempts of a call, for its observers. */
export class ObservedCall {
  readonly listeners: AttemptListener[] = [];
  readonly #attempts: Attempt[] = [];
  #hasEnded = false;

  /** Tells a listener of the first attempt. Each interceptor does it when its part of the call starts, the outermost one first. */
  start({ onStart }: AttemptListener): void {
    let [first] = this.#attempts;
    if (!first) {
      first = new Attempt(0, performance.now());
      this.#attempts.push(first);
    }
    onStart(first);
  }

  /** Ends the attempts that are under way. Only the first caller does. @param code the status of the call */
  end(code: status): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const open = this.#attempts.filter(({ isReported }) => !isReported);
    // The call has the status of one attempt. With hedging others are under way, which are given up.
    const deciding = open.find((attempt) => attempt.code === code) ?? open.at(-1);
    for (const attempt of open) this.#report(attempt, attempt === deciding ? code : (attempt.code ?? status.CANCELLED));
  }

  /** A connection was picked: for the attempt that has started, if it was not sent yet, or for a further one. */
  pick(): Attempt {
    const attempt = this.#attempts.find(({ isPicked }) => !isPicked) ?? this.#begin();
    attempt.isPicked = true;
    return attempt;
  }

  bind(attempt: Attempt, stream: ClientHttp2Stream): void {
    attempt.bind(stream, () => {
      if (!this.#hasEnded) this.#report(attempt, attempt.code ?? status.UNKNOWN);
    });
  }

  #begin(): Attempt {
    const attempt = new Attempt(this.#attempts.length, performance.now());
    this.#attempts.push(attempt);
    for (const { onStart } of this.listeners) onStart(attempt);
    return attempt;
  }

  #report(attempt: Attempt, code: status): void {
    if (attempt.isReported) return;
    attempt.isReported = true;
    attempt.endedMs ??= performance.now();
    for (const { onEnd } of this.listeners) onEnd(attempt, code);
  }
}

/**
 * Calls a listener for each attempt of a call. grpc-js retries below its interceptors. It asks for call credentials before each
 * attempt; and then Node publishes the HTTP/2 stream that carries the attempt.
 *
 * @returns the call, whose `start` and `end` the interceptor calls; and the options for the next interceptor
 */
export function observeAttempts(
  options: InterceptorOptions,
  listener: AttemptListener,
): { readonly observed: ObservedCall; readonly options: InterceptorOptions } {
  const { credentials } = options;
  if (credentials instanceof AttemptCredentials) {
    credentials.observed.listeners.push(listener);
    return { observed: credentials.observed, options };
  }
  watchStreams();
  const observed = new ObservedCall();
  observed.listeners.push(listener);
  return { observed, options: { ...options, credentials: new AttemptCredentials(observed, credentials) } };
}

const empty = CallCredentials.createEmpty();
const noMetadata = new Metadata();

class AttemptCredentials extends CallCredentials {
  readonly observed: ObservedCall;
  readonly #inner: CallCredentials | undefined;

  constructor(observed: ObservedCall, inner: CallCredentials | undefined) {
    super();
    this.observed = observed;
    this.#inner = inner;
  }

  override compose(other: CallCredentials): CallCredentials {
    if (empty._equals(other)) return this;
    return new AttemptCredentials(this.observed, this.#inner ? this.#inner.compose(other) : other);
  }

  override _equals(other: CallCredentials): boolean {
    return this === other;
  }

  override generateMetadata(options: Parameters<CallCredentials["generateMetadata"]>[0]): Promise<Metadata> {
    const attempt = this.observed.pick();
    const metadata = this.#metadataOf(attempt);
    const { observed } = this;
    const send = (complete: Metadata, create: (metadata: Metadata) => unknown): void => {
      sending = { observed, attempt };
      try {
        create(complete);
      } finally {
        sending = undefined;
        attempt.isPicked = attempt.isSent;
      }
    };
    const inner = this.#inner?.generateMetadata(options);
    // No promise, but what stands for one: grpc-js creates the stream in its reaction, so that the stream which appears in `send`
    // belongs to this attempt; and promises would double what an attempt costs.
    const eventual = {
      // biome-ignore lint/suspicious/noThenProperty: see above
      then(create: (metadata: Metadata) => unknown, fail?: (error: unknown) => unknown): void {
        if (!inner) queueMicrotask(() => send(metadata, create));
        else {
          inner.then((found) => {
            found.merge(metadata);
            send(found, create);
          }, fail);
        }
      },
    };
    return eventual as unknown as Promise<Metadata>;
  }

  #metadataOf(attempt: Attempt): Metadata {
    let metadata = noMetadata;
    for (const { addMetadata } of this.observed.listeners) {
      if (!addMetadata) continue;
      if (metadata === noMetadata) metadata = new Metadata();
      addMetadata(attempt, metadata);
    }
    return metadata;
  }
}

/** The attempt whose stream grpc-js is creating now. */
let sending: { readonly observed: ObservedCall; readonly attempt: Attempt } | undefined;
let isWatching = false;

function watchStreams(): void {
  if (isWatching) return;
  isWatching = true;
  subscribe("http2.client.stream.created", (message) => {
    if (!sending) return;
    const { observed, attempt } = sending;
    sending = undefined;
    observed.bind(attempt, (message as { readonly stream: ClientHttp2Stream }).stream);
  });
}
