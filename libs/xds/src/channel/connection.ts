import { Client, connectivityState, type Metadata, type MethodDefinition, status } from "@grpc/grpc-js";
import { type Clock, formatDuration } from "@grpc-lb/core";
import { OwnedCredentials, type TlsMaterial } from "./owned-credentials.ts";
import { RpcCall } from "./rpc-call.ts";
import { RpcStatus } from "./rpc-status.ts";

/** A call of a service, as ts-proto describes it. */
export type Method<Q, R> = MethodDefinition<Q, R>;

/** What a connection is made with. */
export interface ConnectionOptions {
  /** `host:port`, an IPv6 host in brackets. */
  readonly address: string;
  /** Default: no TLS. */
  readonly tls?: TlsMaterial | undefined;
  /** The largest message that is taken; a larger one is refused by its header, before it is received. */
  readonly maxMessageBytes: number;
  /** After how long without a frame the server is pinged, in milliseconds. Default: 10 s. */
  readonly keepaliveMs?: number | undefined;
  /** How long the answer to a ping may take, in milliseconds. Default: 5 s. */
  readonly keepaliveTimeoutMs?: number | undefined;
}

/**
 * One channel of grpc-js to one server, for calls of any service. It serves one connection: when that is lost, its owner makes
 * another, with the TLS files as they are then, and perhaps to another server. It is pinged while a call is open, and is
 * lost when the answer is late.
 */
export class Connection {
  readonly #credentials: OwnedCredentials;
  readonly #client: Client;
  readonly #calls = new Set<{ end(error: unknown): void }>();
  #wasReady = false;

  constructor(options: ConnectionOptions) {
    const { address, tls, maxMessageBytes, keepaliveMs = 10_000, keepaliveTimeoutMs = 5_000 } = options;
    this.#credentials = new OwnedCredentials(tls);
    // The dns scheme takes an address as it is; a name is resolved by the system's resolver.
    this.#client = new Client(`dns:///${address}`, this.#credentials, {
      "grpc.use_local_subchannel_pool": 1,
      "grpc.enable_http_proxy": 0,
      "grpc.enable_retries": 0,
      "grpc.enable_channelz": 0,
      "grpc.service_config_disable_resolution": 1,
      // Only while a call is open, as servers require (gRFC A8). etcd allows a ping every 5 s.
      "grpc.keepalive_time_ms": keepaliveMs,
      "grpc.keepalive_timeout_ms": keepaliveTimeoutMs,
      // Never used: the owner closes a connection that failed, and decides on the backoff.
      "grpc.initial_reconnect_backoff_ms": 1_000,
      "grpc.max_receive_message_length": maxMessageBytes,
    });
  }

  /** Whether the connection was established and is lost: no further call should begin. */
  get isLost(): boolean {
    return this.#wasReady && this.#client.getChannel().getConnectivityState(false) !== connectivityState.READY;
  }

  /** Connects; resolves when there is a connection, when it failed (a call has the reason), or when `signal` is aborted. */
  async connect(signal: AbortSignal): Promise<void> {
    // No call waits in the channel meanwhile: it would keep the process alive.
    const channel = this.#client.getChannel();
    for (;;) {
      const state = this.#credentials.whileConnecting(() => channel.getConnectivityState(true));
      const isConnecting = state === connectivityState.IDLE || state === connectivityState.CONNECTING;
      this.#wasReady ||= state === connectivityState.READY;
      if (!isConnecting || signal.aborted) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      const wake = () => resolve();
      channel.watchConnectivityState(state, Number.POSITIVE_INFINITY, wake);
      signal.addEventListener("abort", wake);
      await promise;
      signal.removeEventListener("abort", wake);
    }
  }

  /**
   * Connects as `connect` does, in a limited time: a peer may accept a connection and never speak.
   *
   * @throws RpcStatus DEADLINE_EXCEEDED when it takes longer
   */
  async connectWithin(timeoutMs: number, clock: Clock, signal: AbortSignal): Promise<void> {
    const late = new AbortController();
    const done = new AbortController();
    void clock.sleep(timeoutMs, done.signal, { background: true }).then(() => late.abort());
    await this.connect(AbortSignal.any([signal, late.signal]));
    const isLate = late.signal.aborted;
    done.abort();
    if (isLate) throw new RpcStatus(status.DEADLINE_EXCEEDED, `no connection within ${formatDuration(timeoutMs)}`);
  }

  /** Begins a call of any kind; the caller sends a single request where the method takes one. */
  open<Q, R>(method: Method<Q, R>, metadata: Metadata, signal: AbortSignal): RpcCall<Q, R> {
    const { path, requestSerialize, responseDeserialize } = method;
    const stream = this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata, {});
    const call: RpcCall<Q, R> = new RpcCall(stream, signal, () => this.#calls.delete(call));
    this.#calls.add(call);
    return call;
  }

  /** Closes the channel and ends its calls with `reason`; resolves when its sockets are closed. */
  async close(reason: unknown): Promise<void> {
    for (const call of [...this.#calls]) call.end(reason);
    this.#client.close();
    await this.#credentials.close();
  }
}
