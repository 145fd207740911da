import { subscribe } from "node:diagnostics_channel";
import type { ClientHttp2Stream } from "node:http2";
import { CallCredentials, type InterceptorOptions, Metadata, status } from "@grpc/grpc-js";
import { Attempt } from "./attempt.ts";

/** What happens to the attempts of a call. */
export interface AttemptListener {
  /** The first attempt starts with the call, by `ObservedCall.follow`; a further one when a connection is picked for it. */
  onAttemptStart(attempt: Attempt): void;
  /** Adds to the metadata of an attempt, also without `follow`. */
  addMetadata?(attempt: Attempt, metadata: Metadata): void;
  /** Once for each attempt; the end of the last one may be before the call's. */
  onAttemptEnd(attempt: Attempt, code: status): void;
}

/** The attempts of a call, for its observers. */
export class ObservedCall {
  /** All of them: the outermost interceptor's comes first. */
  readonly listeners: AttemptListener[] = [];
  /** Those that are told of starts and ends. Without one, streams are not watched. */
  readonly #followers: AttemptListener[] = [];
  readonly #attempts: Attempt[] = [];
  #hasEnded = false;

  get isFollowed(): boolean {
    return this.#followers.length > 0;
  }

  /** Tells a listener of all attempts, now of the first. Interceptors do it when their part of the call starts, the outermost one first. */
  follow(listener: AttemptListener): void {
    this.#followers.push(listener);
    let first = this.#attempts[0];
    if (!first) {
      first = new Attempt(0, performance.now());
      this.#attempts.push(first);
    }
    listener.onAttemptStart(first);
  }

  /** Ends the attempts that are under way. Only the first caller does. @param code the status of the call */
  end(code: status): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const [first, second] = this.#attempts;
    if (!second) {
      if (first) this.#report(first, code);
      return;
    }
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
    for (const follower of this.#followers) follower.onAttemptStart(attempt);
    return attempt;
  }

  #report(attempt: Attempt, code: status): void {
    if (attempt.isReported) return;
    attempt.isReported = true;
    attempt.endedMs ??= performance.now();
    for (const follower of this.#followers) follower.onAttemptEnd(attempt, code);
  }
}

/**
 * Calls a listener for each attempt of a call. grpc-js retries below its interceptors. It asks for call credentials before each
 * attempt; and then Node publishes the HTTP/2 stream that carries the attempt.
 *
 * @returns the call, whose `follow` and `end` the interceptor calls; the options for the next interceptor; and whether the call has
 * credentials of its own
 */
export function observeAttempts(
  options: InterceptorOptions,
  listener: AttemptListener,
): { readonly observed: ObservedCall; readonly options: InterceptorOptions; readonly hasCredentials: boolean } {
  const { credentials } = options;
  if (credentials instanceof AttemptCredentials) {
    const { observed, hasInner } = credentials;
    observed.listeners.push(listener);
    return { observed, options, hasCredentials: hasInner };
  }
  watchStreams();
  const observed = new ObservedCall();
  observed.listeners.push(listener);
  const own = new AttemptCredentials(observed, credentials);
  return { observed, options: { ...options, credentials: own }, hasCredentials: own.hasInner };
}

const empty = CallCredentials.createEmpty();
const noMetadata = new Metadata();
const settled = Promise.resolve();

class AttemptCredentials extends CallCredentials {
  readonly observed: ObservedCall;
  readonly #inner: CallCredentials | undefined;

  constructor(observed: ObservedCall, inner: CallCredentials | undefined) {
    super();
    this.observed = observed;
    this.#inner = inner;
  }

  get hasInner(): boolean {
    return this.#inner !== undefined;
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
    const inner = this.#inner?.generateMetadata(options);
    return new AttemptMetadata(this.observed, attempt, metadata, inner) as unknown as Promise<Metadata>;
  }

  #metadataOf(attempt: Attempt): Metadata {
    let metadata = noMetadata;
    for (const listener of this.observed.listeners) {
      if (!listener.addMetadata) continue;
      if (metadata === noMetadata) metadata = new Metadata();
      listener.addMetadata(attempt, metadata);
    }
    return metadata;
  }
}

/**
 * The metadata of an attempt. It is no promise, but stands for one: grpc-js creates the stream in its reaction, so that the stream which
 * appears in `#send` belongs to this attempt; and promises would double what an attempt costs.
 */
class AttemptMetadata {
  readonly observed: ObservedCall;
  readonly attempt: Attempt;
  readonly #metadata: Metadata;
  readonly #inner: Promise<Metadata> | undefined;

  constructor(observed: ObservedCall, attempt: Attempt, metadata: Metadata, inner: Promise<Metadata> | undefined) {
    this.observed = observed;
    this.attempt = attempt;
    this.#metadata = metadata;
    this.#inner = inner;
  }

  // biome-ignore lint/suspicious/noThenProperty: see above
  then(create: (metadata: Metadata) => unknown, fail?: (error: unknown) => unknown): void {
    if (this.#inner) this.#inner.then((found) => this.#send(this.#with(found), create), fail);
    else void settled.then(() => this.#send(this.#metadata, create));
  }

  /** Credentials may give the same metadata for each attempt, which stays as it is. */
  #with(found: Metadata): Metadata {
    if (this.#metadata === noMetadata) return found;
    this.#metadata.merge(found);
    return this.#metadata;
  }

  #send(complete: Metadata, create: (metadata: Metadata) => unknown): void {
    if (!this.observed.isFollowed) {
      create(complete);
      return;
    }
    sending = this;
    try {
      create(complete);
    } finally {
      sending = undefined;
      this.attempt.isPicked = this.attempt.isSent;
    }
  }
}

/** That of the attempt whose stream grpc-js is creating now. */
let sending: AttemptMetadata | undefined;
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
