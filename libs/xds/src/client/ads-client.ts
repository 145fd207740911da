import { Metadata, status } from "@grpc/grpc-js";
import { type Clock, type Context, completeContext, formatHostPort, type Random } from "@grpc-lb/core";
import { AggregatedDiscoveryServiceService as Ads } from "@grpc-lb/protos/envoy/service/discovery/v3";
import { Connection, RpcStatus } from "../channel/index.ts";
import { AdsStream } from "./ads-stream.ts";
import { readTls, readToken, validateXdsCredentials, type XdsCredentials } from "./credentials.ts";
import { DeltaExchange } from "./delta-exchange.ts";
import { encodeNode } from "./encode-node.ts";
import { describeFailure, type XdsError } from "./error.ts";
import type { XdsNode } from "./node.ts";
import type { ResourceType, ResourceWatcher } from "./resource-type.ts";
import { StateExchange } from "./state-exchange.ts";
import { Subscriptions } from "./subscriptions.ts";

/** Delta, state of the world, or the first of them that the control plane has. */
export type XdsProtocol = "auto" | "delta" | "sotw";

/** Which control plane, and how. */
export interface AdsClientOptions {
  /** An IP address, IPv6 without brackets, or a name. */
  readonly host: string;
  readonly port: number;
  /** Default: no TLS and no token. */
  readonly credentials?: XdsCredentials | undefined;
  /** Default: the host's name alone. */
  readonly node?: XdsNode | undefined;
  /** Default: auto. */
  readonly protocol?: XdsProtocol | undefined;
  /** How long connecting may take, in milliseconds. Default: 5 s. */
  readonly connectTimeoutMs?: number | undefined;
  /** After how long without an answer a resource does not exist, in milliseconds. Default: 15 s, as gRFC A27. */
  readonly missingAfterMs?: number | undefined;
  /** After how long without a frame the control plane is pinged, in milliseconds. Default: 30 s, which istiod allows. */
  readonly keepaliveMs?: number | undefined;
  /** How long the answer to a ping may take, in milliseconds. Default: 10 s. */
  readonly keepaliveTimeoutMs?: number | undefined;
}

/** The largest response that is taken, in bytes: more than 100 000 endpoints. */
const maxMessageBytes = 16 * 2 ** 20;
/**
 * The client of a control plane: any number of watchers of resources share one stream. What is known survives the stream, and the
 * next one resumes from it. The owner runs `attempt` in a loop that pauses between failures.
 */
export class AdsClient {
  /** For messages: `host:18000`. */
  readonly name: string;
  readonly #options: AdsClientOptions;
  readonly #credentials: XdsCredentials;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #subscriptions = new Map<string, Subscriptions>();
  #stream: { update(): void } | undefined;
  /** Why the last attempt failed; undefined while the control plane answers, and before the first attempt. */
  #failure: XdsError | undefined;
  /** The token that was sent last, which no error may repeat. */
  #token = "";

  /** @throws RangeError for credentials that are not valid */
  constructor(options: AdsClientOptions, context: Context = {}) {
    const { host, port, credentials = {} } = options;
    validateXdsCredentials(credentials);
    this.#options = options;
    this.#credentials = credentials;
    const { clock, random } = completeContext(context);
    this.#clock = clock;
    this.#random = random;
    this.name = formatHostPort(host, port);
  }

  /**
   * Watches a resource. The watcher hears at once what is known; it is not called any more after the returned function is. All
   * watchers of a type must give the same object for it.
   */
  watch<T>(type: ResourceType<T>, name: string, watcher: ResourceWatcher<T>): () => void {
    const known = this.#subscriptions.get(type.typeUrl) as Subscriptions<T> | undefined;
    const subscriptions =
      known ?? new Subscriptions(type, this.name, this.#clock, this.#options.missingAfterMs ?? 15_000);
    if (!known) this.#subscriptions.set(type.typeUrl, subscriptions as Subscriptions);
    const remove = subscriptions.add(name, watcher);
    if (this.#failure) watcher.onError(this.#failure);
    this.#stream?.update();
    return () => {
      remove();
      if (this.#stream) this.#stream.update();
      else subscriptions.prune();
    };
  }

  /**
   * Connects and runs one stream, until it ends. It returns when a stream is lost that has served: its owner tries again at once. Any
   * other failure is reported to all watchers, also to those that come before the next stream, and thrown. When it has settled, no socket or timer is left.
   *
   * @param onHealthy called when the control plane answers
   * @throws XdsError; after an abort it may also return
   */
  async attempt(onHealthy: () => void, signal: AbortSignal): Promise<void> {
    let hasServed = false;
    const onServed = () => {
      hasServed = true;
      this.#failure = undefined;
      onHealthy();
    };
    try {
      await this.#connect(onServed, signal);
    } catch (cause) {
      const error = describeFailure(cause, {
        where: this.name,
        isTls: this.#credentials.tls !== undefined,
        secrets: this.#token === "" ? [] : [this.#token],
      });
      if (signal.aborted || (hasServed && isLost(cause))) return;
      this.#failure = error;
      for (const subscriptions of this.#subscriptions.values()) subscriptions.fail(error);
      throw error;
    }
  }

  async #connect(onServed: () => void, signal: AbortSignal): Promise<void> {
    const { host, connectTimeoutMs = 5_000, protocol = "auto" } = this.#options;
    const { keepaliveMs = 30_000, keepaliveTimeoutMs = 10_000 } = this.#options;
    const tls = await readTls(this.name, host, this.#credentials, signal);
    const token = await readToken(this.name, this.#credentials, signal);
    this.#token = token ?? "";
    const metadata = new Metadata();
    if (token !== undefined) metadata.set("authorization", `Bearer ${token}`);
    const connection = new Connection({ address: this.name, tls, maxMessageBytes, keepaliveMs, keepaliveTimeoutMs });
    try {
      await connection.connectWithin(connectTimeoutMs, this.#clock, signal);
      if (signal.aborted) return;
      const node = encodeNode(this.#options.node ?? {});
      const common = { subscriptions: this.#subscriptions, clock: this.#clock, random: this.#random, onServed };
      if (protocol !== "sotw") {
        try {
          const call = connection.open(Ads.deltaAggregatedResources, metadata, signal);
          await this.#run(new AdsStream({ ...common, call, exchange: new DeltaExchange(node) }));
        } catch (cause) {
          if (protocol === "delta" || signal.aborted || !isUnimplemented(cause)) throw cause;
        }
      }
      const call = connection.open(Ads.streamAggregatedResources, metadata, signal);
      await this.#run(new AdsStream({ ...common, call, exchange: new StateExchange(node) }));
    } finally {
      for (const subscriptions of this.#subscriptions.values()) {
        subscriptions.prune();
        subscriptions.onDisconnected();
      }
      await connection.close(new RpcStatus(status.CANCELLED, "closed"));
    }
  }

  async #run(stream: { update(): void; run(): Promise<never> }): Promise<never> {
    this.#stream = stream;
    try {
      return await stream.run();
    } finally {
      this.#stream = undefined;
    }
  }
}

/** Whether the stream or its connection has ended, as with each restart of a server; another stream may do better at once. */
function isLost(cause: unknown): boolean {
  const codes = [status.UNAVAILABLE, status.CANCELLED, status.ABORTED, status.DEADLINE_EXCEEDED];
  return cause instanceof RpcStatus && codes.includes(cause.code);
}

function isUnimplemented(cause: unknown): boolean {
  return cause instanceof RpcStatus && cause.code === status.UNIMPLEMENTED;
}
