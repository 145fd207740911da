import { Client, connectivityState, type Metadata, type MethodDefinition } from "@grpc/grpc-js";
import { formatAddress } from "../core/address.ts";
import type { Address } from "../core/snapshot.ts";
import { MemberCredentials, type TlsMaterial } from "./member-credentials.ts";
import { RpcCall } from "./rpc-call.ts";

/** A call of a service, as ts-proto describes it. */
export type Method<Q, R> = MethodDefinition<Q, R>;

/**
 * One channel of grpc-js to one member of the cluster, for all of etcd's services. It serves one connection: when that is
 * lost, who owns it makes another, with the files of TLS as they are then, and perhaps to another member.
 */
export class Connection {
  readonly #credentials: MemberCredentials;
  readonly #client: Client;
  readonly #calls = new Set<{ end(error: unknown): void }>();
  #wasReady = false;

  constructor(member: Address, tls: TlsMaterial | undefined) {
    this.#credentials = new MemberCredentials(tls);
    // By its scheme an address is never looked up; a name is, by the system's resolver.
    this.#client = new Client(`dns:///${formatAddress(member)}`, this.#credentials, {
      "grpc.use_local_subchannel_pool": 1,
      "grpc.enable_http_proxy": 0,
      "grpc.enable_retries": 0,
      "grpc.enable_channelz": 0,
      "grpc.service_config_disable_resolution": 1,
      // etcd allows a ping every 5 s (--grpc-keepalive-min-time), and only while a call is open.
      "grpc.keepalive_time_ms": 10_000,
      "grpc.keepalive_timeout_ms": 5_000,
      // Never used: a connection that failed is given up, and the pauses are the owner's.
      "grpc.initial_reconnect_backoff_ms": 1_000,
      // A large service comes as one message.
      "grpc.max_receive_message_length": -1,
    });
  }

  /** Whether the connection was there and is gone, so that no call should begin any more. */
  get isLost(): boolean {
    return this.#wasReady && this.#client.getChannel().getConnectivityState(false) !== connectivityState.READY;
  }

  /** Connects; resolves when there is a connection, when a call would say why not, or when `signal` is aborted. */
  async connect(signal: AbortSignal): Promise<void> {
    // No call waits in the channel meanwhile, as that would keep the process alive.
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

  /** Begins a call, of whatever kind: one that takes a single request is sent one. */
  open<Q, R>(method: Method<Q, R>, metadata: Metadata, signal: AbortSignal): RpcCall<Q, R> {
    const { path, requestSerialize, responseDeserialize } = method;
    const stream = this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata, {});
    const call: RpcCall<Q, R> = new RpcCall(stream, signal, () => this.#calls.delete(call));
    this.#calls.add(call);
    return call;
  }

  /** Ends the channel, and its calls for the reason given; resolves when its sockets are gone. */
  async close(reason: unknown): Promise<void> {
    for (const call of [...this.#calls]) call.end(reason);
    this.#client.close();
    await this.#credentials.close();
  }
}
