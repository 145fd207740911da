import type { ChannelOptions } from "@grpc/grpc-js";
import type { Clock, Random } from "@grpc-lb/core";
import type { Balancer } from "../../balancer/balancer.ts";
import { noEndpointMessage, publishFailure } from "../../balancer/balancer.ts";
import {
  type ChannelControlHelper,
  connectivityState,
  type GrpcEndpoint,
  type LoadBalancingConfig,
  type Picker,
  type StatusOr,
  statusOrFromValue,
} from "../../grpc-js.ts";
import { EndpointGroup, type GroupState } from "./endpoint-group.ts";
import { addressKey } from "./endpoint-health.ts";
import { localShare } from "./local-share.ts";
import { splitByZone } from "./split-by-zone.ts";

const { IDLE, CONNECTING, READY, TRANSIENT_FAILURE } = connectivityState;

export interface LocalityConfig {
  /** The client's zone. Default: the environment's ZONE; if that is empty, all endpoints are local. */
  readonly zone: string | undefined;
  /**
   * With fewer local endpoints than this, all endpoints are local: a few would have to carry the load of a whole zone. Default: 1, as
   * in kube-proxy and in Envoy's `force_local_zone.min_size`.
   */
  readonly minLocalEndpoints: number;
  /** How much more than its share an endpoint can carry: see `localShare`. Default: 1.4, as in Envoy. */
  readonly overprovisioning: number;
  /**
   * An endpoint that has been connecting for longer counts as unhealthy, in milliseconds. Default: 10 s, the failover timer of gRFC
   * A56.
   */
  readonly connectTimeoutMs: number;
  /** Whether remote endpoints are connected before they are needed. Default: false. */
  readonly keepRemoteConnected: boolean;
  /**
   * How long connections to remote endpoints are kept after they were last needed, in milliseconds. Default: 15 min, as in gRFC A56.
   */
  readonly remoteIdleTimeoutMs: number;
  /** The policy within each group. Default: `round_robin`. */
  readonly childPolicy: LoadBalancingConfig;
}

/** The state of the remote group. */
type RemoteState =
  /** Not connected; no call needs it. */
  | { readonly t: "off" }
  /** Calls go there, or would go there if it were connected. */
  | { readonly t: "needed" }
  /** Connected, but no call goes there; becomes `off` when the timer ends. */
  | { readonly t: "spare"; readonly timer: AbortController };

/** The latest update for the remote group. */
interface RemoteUpdate {
  readonly endpoints: GrpcEndpoint[];
  readonly options: ChannelOptions;
  readonly note: string;
}

const isConnected = (state: RemoteState) => state.t !== "off";

/** Splits the calls between the local and the remote group. */
export class LocalityBalancer implements Balancer<LocalityConfig> {
  readonly #helper: ChannelControlHelper;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #local: EndpointGroup;
  readonly #remote: EndpointGroup;
  #config: LocalityConfig | undefined;
  #remoteState: RemoteState = { t: "off" };
  #remoteUpdate: RemoteUpdate = { endpoints: [], options: {}, note: "" };
  #hasLocalBeenReady = false;
  /** While the groups take an update they report every step: one picker at the end is enough. */
  #isPaused = false;
  #published:
    | { readonly local: GroupState; readonly remote: GroupState | undefined; readonly share: number }
    | undefined;
  #recheck: { readonly dueMs: number; readonly timer: AbortController } | undefined;

  constructor(helper: ChannelControlHelper, clock: Clock, random: Random) {
    this.#helper = helper;
    this.#clock = clock;
    this.#random = random;
    this.#local = new EndpointGroup(helper, clock, () => this.#reconcile());
    this.#remote = new EndpointGroup(helper, clock, () => this.#reconcile());
  }

  update(found: StatusOr<GrpcEndpoint[]>, config: LocalityConfig, options: ChannelOptions, note: string): void {
    const endpoints = found.ok ? found.value.filter(({ addresses }) => addresses.length > 0) : undefined;
    if (endpoints?.length === 0) {
      this.#stopAll(note);
      return;
    }
    // References keep the connection of an endpoint that moves to the other group, and all connections until the new picker is
    // published.
    const held = [...this.#local.held, ...this.#remote.held];
    for (const subchannel of held) subchannel.ref();
    this.#config = config;
    this.#isPaused = true;
    if (endpoints) this.#updateEndpoints(endpoints, config, options, note);
    else this.#updateError(found, config, options, note);
    this.#isPaused = false;
    this.#reconcile();
    for (const subchannel of held) subchannel.unref();
  }

  /** Only the local group: the remote one is connected when calls need it. */
  connect(): void {
    this.#local.connect();
  }

  destroy(): void {
    this.#isPaused = true;
    this.#config = undefined;
    this.#recheck?.timer.abort();
    this.#recheck = undefined;
    this.#setRemoteState({ t: "off" });
    this.#remote.stop();
    this.#local.stop();
  }

  /** Not the groups' task: with an empty list round_robin makes calls wait forever. The next list starts from scratch. */
  #stopAll(note: string): void {
    publishFailure(this.#helper, noEndpointMessage("locality", note));
    this.#remoteUpdate = { endpoints: [], options: {}, note };
    this.destroy();
  }

  #updateEndpoints(
    endpoints: readonly GrpcEndpoint[],
    config: LocalityConfig,
    options: ChannelOptions,
    note: string,
  ): void {
    const { local, remote } = splitByZone(endpoints, config.zone, config.minLocalEndpoints);
    this.#remoteUpdate = { endpoints: [...remote], options, note };
    if (isConnected(this.#remoteState)) {
      this.#updateRemote(config);
    } else if (hasAddress(remote, this.#local.heldAddresses)) {
      this.#updateRemote(config);
      this.#spareRemote(config);
    }
    this.#local.update(statusOrFromValue([...local]), config.childPolicy, options, note);
  }

  #updateError(
    error: StatusOr<GrpcEndpoint[]>,
    { childPolicy }: LocalityConfig,
    options: ChannelOptions,
    note: string,
  ): void {
    this.#local.update(error, childPolicy, options, note);
    if (isConnected(this.#remoteState)) this.#remote.update(error, childPolicy, options, note);
  }

  #updateRemote({ childPolicy }: LocalityConfig): void {
    const { endpoints, options, note } = this.#remoteUpdate;
    this.#remote.update(statusOrFromValue(endpoints), childPolicy, options, note);
  }

  /** Adapts the remote group, the picker and the timers to the state of the groups. */
  #reconcile(): void {
    const config = this.#config;
    if (this.#isPaused || !config) return;
    this.#isPaused = true;
    if (this.#local.isReady) this.#hasLocalBeenReady = true;
    if (this.#isRemoteNeeded(config)) {
      if (!isConnected(this.#remoteState)) this.#updateRemote(config);
      this.#setRemoteState({ t: "needed" });
      if (this.#remote.current?.state === IDLE) this.#remote.connect();
    } else if (this.#remoteState.t === "needed") {
      this.#spareRemote(config);
    }
    // No pick makes it connect while calls go elsewhere.
    if (this.#remote.isReady && this.#local.current?.state === IDLE) this.#local.connect();
    this.#isPaused = false;
    this.#publish(config);
    if (this.#config !== config) return; // a listener has closed the channel, or has changed its configuration
    if (this.#remoteUpdate.endpoints.length === 0) this.#stopRemote();
    this.#recheckLater(config);
  }

  #share({ connectTimeoutMs, overprovisioning }: LocalityConfig): number {
    const local = this.#local.healthyShare(connectTimeoutMs);
    return localShare(local, this.#remote.healthyShare(connectTimeoutMs), overprovisioning);
  }

  #isRemoteNeeded(config: LocalityConfig): boolean {
    if (this.#remoteUpdate.endpoints.length === 0) return false;
    if (config.keepRemoteConnected || this.#share(config) < 1) return true;
    if (this.#local.isReady) return false;
    return this.#hasLocalBeenReady || this.#remote.isReady || this.#local.current?.state === TRANSIENT_FAILURE;
  }

  #setRemoteState(state: RemoteState): void {
    if (this.#remoteState.t === "spare") this.#remoteState.timer.abort();
    this.#remoteState = state;
  }

  #spareRemote({ remoteIdleTimeoutMs }: LocalityConfig): void {
    const timer = new AbortController();
    this.#setRemoteState({ t: "spare", timer });
    void this.#clock.sleep(remoteIdleTimeoutMs, timer.signal, { background: true }).then(() => {
      if (timer.signal.aborted) return;
      this.#stopRemote();
      this.#reconcile();
    });
  }

  #stopRemote(): void {
    if (!isConnected(this.#remoteState)) return;
    this.#setRemoteState({ t: "off" });
    this.#remote.stop();
  }

  #publish(config: LocalityConfig): void {
    const local = this.#local.current;
    // A group without endpoints is stopped after the next picker; its own picker may make calls wait.
    const remote = this.#remoteUpdate.endpoints.length > 0 ? this.#remote.current : undefined;
    if (!local) return;
    const share = this.#share(config);
    const was = this.#published;
    if (was && was.local === local && was.remote === remote && was.share === share) return;
    this.#published = { local, remote, share };
    const { state, picker, message } = this.#combine(local, remote, share);
    this.#helper.updateState(state, picker, message);
  }

  #combine(local: GroupState, remote: GroupState | undefined, share: number): GroupState {
    if (!remote) return local;
    if (local.state === READY && remote.state === READY) {
      if (share === 0) return remote;
      return share === 1 ? local : { ...local, picker: mixPickers(local.picker, remote.picker, share, this.#random) };
    }
    for (const state of [READY, CONNECTING, IDLE]) {
      if (local.state === state) return local;
      if (remote.state === state) return remote;
    }
    return local;
  }

  #recheckLater({ connectTimeoutMs }: LocalityConfig): void {
    const local = this.#local.nextChangeMs(connectTimeoutMs);
    const remote = this.#remote.nextChangeMs(connectTimeoutMs);
    const dueMs = Math.min(local ?? Number.POSITIVE_INFINITY, remote ?? Number.POSITIVE_INFINITY);
    if (this.#recheck?.dueMs === dueMs) return;
    this.#recheck?.timer.abort();
    this.#recheck = undefined;
    if (dueMs === Number.POSITIVE_INFINITY) return;
    const timer = new AbortController();
    const recheck = { dueMs, timer };
    this.#recheck = recheck;
    void this.#clock.sleep(dueMs - this.#clock.now(), timer.signal, { background: true }).then(() => {
      if (this.#recheck !== recheck || timer.signal.aborted) return;
      this.#recheck = undefined;
      this.#reconcile();
    });
  }
}

function hasAddress(endpoints: readonly GrpcEndpoint[], wanted: ReadonlySet<string>): boolean {
  return endpoints.some(({ addresses }) => addresses.some((address) => wanted.has(addressKey(address))));
}

function mixPickers(local: Picker, remote: Picker, share: number, random: Random): Picker {
  return { pick: (args) => (random() < share ? local : remote).pick(args) };
}
