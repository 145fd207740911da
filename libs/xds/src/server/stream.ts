import { type ServerDuplexStream, status } from "@grpc/grpc-js";
import { type Clock, messageOf, printableLine } from "@grpc-lb/core";
import type { Node } from "@grpc-lb/protos/envoy/config/core/v3";
import type { ResourceChange } from "../cache/snapshot.ts";
import { typeUrls } from "../type-urls.ts";
import type { AdsClientInfo, AdsClientStatus, AdsRejection, AdsServerOptions } from "./api.ts";
import { readClientNode } from "./client-node.ts";
import { type NameLimits, problemOfName, problemOfRequest, problemOfStream } from "./name-limits.ts";
import { type AnyRequest, type Draft, malformed, malformedDetails, type Protocol } from "./protocol.ts";
import type { ResponseEncoder } from "./response-encoder.ts";
import { holdNothing, rankOf, SendOrder } from "./send-order.ts";
import { describeStatus } from "./stream-status.ts";
import { Subscription } from "./subscription.ts";

/** What a stream needs of its server. */
export interface StreamOptions extends Pick<AdsServerOptions, "cache" | "onConnected">, NameLimits {
  readonly groupOf: (node: Node) => string;
  readonly maxTypes: number;
  readonly maxResponseBytes: number;
  readonly orderTimeoutMs: number;
  readonly clock: Clock;
  readonly onRequest: () => void;
  readonly onResponse: (bytes: number) => void;
  readonly onRejected: (rejection: AdsRejection) => void;
  /** Called once. */
  readonly onEnded: (client: AdsClientInfo | undefined, reason: string, isRefused: boolean) => void;
}

const maxMessageLength = 500;
/** grpc-js does not tell one from the other. */
const gone = "the client ended the stream, or its connection was lost";

/**
 * One stream of a client. At most one response is being written, and at most one of each type is not answered: meanwhile changes
 * collect, one for each name, and what is sent then is the newest.
 */
export class AdsStream<Q extends AnyRequest> {
  readonly #call: ServerDuplexStream<Q, Buffer>;
  readonly #encoder: ResponseEncoder<Q>;
  readonly #protocol: Protocol<Q>;
  readonly #options: StreamOptions;
  readonly #id: number;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #order: SendOrder;
  /** Aborted when the stream has ended. */
  readonly #ended = new AbortController();
  /** The subscriptions in the order in which they are sent. */
  #ranked: readonly Subscription[] = [];
  #client: AdsClientInfo | undefined;
  #unwatch: () => void = () => {};
  #isWriting = false;
  #isScheduled = false;
  /** Ends the wait of what is held; undefined while nothing is. */
  #holdTimer: AbortController | undefined;
  #isWaived = false;

  constructor(id: number, call: ServerDuplexStream<Q, Buffer>, encoder: ResponseEncoder<Q>, options: StreamOptions) {
    this.#id = id;
    this.#call = call;
    this.#encoder = encoder;
    this.#protocol = encoder.protocol;
    this.#order = new SendOrder(this.#subscriptions, encoder.protocol.name);
    this.#options = options;
    call.on("data", (request: Q | typeof malformed) => {
      if (request === malformed) this.refuse(status.INVALID_ARGUMENT, malformedDetails);
      else this.#receive(request as Q);
    });
    call.on("end", () => this.#finish(gone, () => call.end()));
    call.on("cancelled", () => this.#finish(gone));
    call.on("close", () => this.#finish(gone));
    call.on("error", (error) => this.#finish(messageOf(error)));
  }

  /** Undefined before the first request. */
  get client(): AdsClientInfo | undefined {
    return this.#client;
  }

  clientStatus(): AdsClientStatus | undefined {
    if (!this.#client) return undefined;
    const snapshot = this.#options.cache.snapshot(this.#client.group);
    return { ...this.#client, resources: describeStatus(this.#ranked, snapshot) };
  }

  /** Ends the stream with an error for the client. */
  end(code: status, details: string): void {
    this.#finish(details, () => this.#call.emit("error", { code, details, name: "", message: details }));
  }

  /** Ends the stream with an error for the client, which has caused it. */
  refuse(code: status, details: string): void {
    this.#finish(details, () => this.#call.emit("error", { code, details, name: "", message: details }), true);
  }

  #receive(request: Q): void {
    if (this.#ended.signal.aborted) return;
    this.#options.onRequest();
    if (!this.#client && !this.#connect(request)) return;
    const known = this.#subscriptions.get(request.typeUrl);
    const subscription = known ?? this.#addType(request.typeUrl);
    if (!subscription) return;
    this.#readAnswer(subscription, request);
    if (this.#protocol.isStale(subscription, request)) this.#protocol.forget(subscription, request);
    else this.#subscribe(subscription, request, !known);
    this.#schedule();
  }

  #connect({ node }: Q): boolean {
    if (!node) {
      this.refuse(status.INVALID_ARGUMENT, "the first request has no node");
      return false;
    }
    const { cache, groupOf, onConnected } = this.#options;
    try {
      const client: AdsClientInfo = {
        id: this.#id,
        node: readClientNode(node),
        group: groupOf(node),
        peer: this.#call.getPeer(),
        protocol: this.#protocol.name,
        connectedMs: Date.now(),
      };
      this.#client = client;
      this.#unwatch = cache.watch(client.group, (changes) => this.#onChanges(changes));
      onConnected?.(client);
      return true;
    } catch (error) {
      this.refuse(
        status.INVALID_ARGUMENT,
        `the node is not valid: ${printableLine(messageOf(error), maxMessageLength)}`,
      );
      return false;
    }
  }

  #addType(typeUrl: string): Subscription | undefined {
    const { maxTypes } = this.#options;
    const problem = typeUrl === "" ? "a request has no type_url" : problemOfName("type_url", typeUrl);
    if (problem !== undefined) {
      this.refuse(status.INVALID_ARGUMENT, problem);
      return undefined;
    }
    if (this.#subscriptions.size >= maxTypes) {
      this.refuse(status.RESOURCE_EXHAUSTED, `a stream may subscribe to at most ${maxTypes} types`);
      return undefined;
    }
    const subscription = new Subscription(typeUrl);
    this.#subscriptions.set(typeUrl, subscription);
    this.#ranked = [...this.#subscriptions.values()].sort((a, b) => rankOf(a.typeUrl) - rankOf(b.typeUrl));
    return subscription;
  }

  /** An answer to an earlier response, or to one of an earlier stream, says nothing. */
  #readAnswer(subscription: Subscription, { responseNonce, errorDetail, typeUrl }: Q): void {
    const answered = subscription.answer(responseNonce);
    if (!answered || !this.#client) return;
    const { names, isWhole } = answered;
    if (typeUrl === typeUrls.endpoints) this.#order.onEndpointsSettled(names);
    if (!errorDetail) {
      if (isWhole) subscription.rejected.clear();
      else for (const name of names) subscription.rejected.delete(name);
      return;
    }
    const message = printableLine(errorDetail.message, maxMessageLength);
    const snapshot = this.#options.cache.snapshot(this.#client.group);
    for (const name of names) {
      const version = snapshot?.get(typeUrl, name)?.version;
      if (version === undefined || !subscription.covers(name)) continue; // gone, or no longer wanted
      subscription.rejected.set(name, { version, message });
    }
    // Clusters that are rejected never get warm.
    if (typeUrl === typeUrls.cluster) this.#order.waive();
    this.#options.onRejected({ client: this.#client, typeUrl, names, message });
  }

  #subscribe(subscription: Subscription, request: Q, isFirst: boolean): void {
    const { cache } = this.#options;
    const snapshot = this.#client && cache.snapshot(this.#client.group);
    let problem = problemOfRequest(this.#protocol.namesOf(request), this.#options);
    if (problem === undefined) {
      this.#protocol.subscribe(subscription, request, isFirst, snapshot);
      problem = problemOfStream(this.#ranked, this.#options);
    }
    if (problem !== undefined) this.refuse(status.RESOURCE_EXHAUSTED, problem);
    else if (subscription.typeUrl === typeUrls.endpoints) this.#order.onEndpointsRequested(subscription);
  }

  #onChanges(changes: readonly ResourceChange[]): void {
    const snapshot = this.#client && this.#options.cache.snapshot(this.#client.group);
    for (const subscription of this.#ranked) if (snapshot) subscription.resume(snapshot);
    for (const change of changes) {
      const subscription = this.#subscriptions.get(change.typeUrl);
      subscription?.onChange(change);
      if (change.typeUrl !== typeUrls.endpoints) continue;
      if (!change.current) this.#order.onEndpointsGone(change.name);
      else if (subscription && !change.previous) this.#order.onEndpointsCome(subscription, change.name);
    }
    this.#schedule();
  }

  /** Requests and changes of the same moment are answered together. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#send();
    });
  }

  /** @returns whether a response is being written now */
  #send(): boolean {
    if (this.#isWriting) return true;
    const snapshot = this.#client && this.#options.cache.snapshot(this.#client.group);
    if (!snapshot || this.#ended.signal.aborted) return false;
    let isHeld = false;
    let isFreed = false;
    for (const subscription of this.#ranked) {
      if (subscription.outstanding || (subscription.pending.size === 0 && !subscription.mustAnswer)) continue;
      if (!this.#isWaived && this.#order.isWaiting(subscription, snapshot)) {
        isHeld = true;
        continue;
      }
      const wasPending = subscription.pending.size > 0;
      const isFirst = subscription.lastNonce === "" && !subscription.had;
      const hold = this.#isWaived ? holdNothing : this.#order.holdOf(subscription);
      const draft = this.#protocol.next(subscription, snapshot, hold, this.#options.maxResponseBytes);
      if (draft) {
        if (subscription.typeUrl === typeUrls.cluster) this.#order.onClustersSent(draft.changed, isFirst);
        this.#write(subscription, draft, snapshot.version(subscription.typeUrl));
        return true;
      }
      if (subscription.pending.size > 0) isHeld = true;
      else isFreed ||= wasPending;
    }
    if (isHeld && isFreed) return this.#send(); // what had to wait for something that need not be sent after all
    this.#setHeld(isHeld);
    return false;
  }

  #write(subscription: Subscription, draft: Draft, version: string): void {
    const { nonce, bytes } = this.#encoder.encode(draft, subscription.typeUrl, version, subscription.lastNonce);
    const names = [...draft.changed.keys()].map(({ name }) => name).concat(draft.removed);
    subscription.outstanding = { nonce, names, isWhole: draft.isWhole === true };
    if (subscription.typeUrl === typeUrls.endpoints) this.#order.onEndpointsSent(names);
    subscription.lastNonce = nonce;
    this.#options.onResponse(bytes.length);
    this.#isWriting = true;
    this.#call.write(bytes, () => {
      this.#isWriting = false;
      this.#send();
    });
  }

  /** What is held waits no longer than the limit, however the client behaves. */
  #setHeld(isHeld: boolean): void {
    if (!isHeld) {
      this.#holdTimer?.abort();
      this.#holdTimer = undefined;
      this.#isWaived = false;
      return;
    }
    if (this.#holdTimer) return;
    const timer = new AbortController();
    this.#holdTimer = timer;
    const { clock, orderTimeoutMs } = this.#options;
    void clock.sleep(orderTimeoutMs, timer.signal, { background: true }).then(() => {
      if (timer.signal.aborted) return;
      this.#holdTimer = undefined;
      this.#order.waive();
      if (this.#send()) return; // what is still held waits for the answer to it
      this.#isWaived = true;
      this.#send();
    });
  }

  #finish(reason: string, then: () => void = () => {}, isRefused = false): void {
    if (this.#ended.signal.aborted) return;
    this.#ended.abort();
    this.#holdTimer?.abort();
    this.#unwatch();
    this.#subscriptions.clear();
    this.#ranked = [];
    this.#options.onEnded(this.#client, reason, isRefused);
    then();
  }
}
