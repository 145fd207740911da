import type { ChannelOptions } from "@grpc/grpc-js";
import type { Clock, Random } from "@grpc-lb/core";
import type { Balancer } from "../../balancer/balancer.ts";
import { noEndpointMessage, publishFailure } from "../../balancer/balancer.ts";
import {
  type ChannelControlHelper,
  connectivityState,
  type GrpcEndpoint,
  type Picker,
  type StatusOr,
  statusOrFromValue,
} from "../../grpc-js.ts";
import { EndpointGroup, type GroupState } from "./endpoint-group.ts";
import { addressKey } from "./endpoint-health.ts";
import { localShare } from "./local-share.ts";
import type { LocalityConfig } from "./locality.ts";
import { splitByZone } from "./split-by-zone.ts";

const { IDLE, CONNECTING, READY, TRANSIENT_FAILURE } = connectivityState;

/** How it stands with the remote group. */
type RemoteState =
  /** No connection to it; no call needs one. */
  | { readonly t: "off" }
  /** Calls go there, or would if it were connected. */
  | { readonly t: "needed" }
  /** Connected, but no call goes there; off when the timer ends. */
  | { readonly t: "spare"; readonly timer: AbortController };

/** What the resolver has found, as the remote group would get it. */
interface RemoteUpdate {
  readonly endpoints: GrpcEndpoint[];
  readonly options: ChannelOptions;
  readonly note: string;
}

const isConnected = (state: RemoteState) => state.t !== "off";

/** Two groups, and how many calls each gets. */
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
  /** While groups are given endpoints they tell of every step; one picker at the end is enough. */
  #isPaused = false;
  #published:
    | { readonly local: GroupState; readonly remote: GroupState | undefined; readonly share: number }
    | undefined;
  #recheck: { readonly dueMs: number; readonly timer: AbortController } | undefined;

  constructor(helper: ChannelControlHelper, clock: Clock, random: Random) {
    this.#helper = helper;
    this.#clock = clock;
    this.#random = random;
    this.#local = new EndpointGroup(helper, clock, () => this.#settle());
    this.#remote = new EndpointGroup(helper, clock, () => this.#settle());
  }

  update(found: StatusOr<GrpcEndpoint[]>, config: LocalityConfig, options: ChannelOptions, note: string): void {
    const endpoints = found.ok ? found.value.filter(({ addresses }) => addresses.length > 0) : undefined;
    if (endpoints?.length === 0) {
      this.#stopAll(note);
      return;
    }
    // A connection whose endpoint moves to the other group must not be without holder in between; and all stay until the new
    // picker is in place.
    const held = [...this.#local.held, ...this.#remote.held];
    for (const subchannel of held) subchannel.ref();
    this.#config = config;
    this.#isPaused = true;
    if (endpoints) this.#updateEndpoints(endpoints, config, options, note);
    else this.#updateError(found, config, options, note);
    this.#isPaused = false;
    this.#settle();
    for (const subchannel of held) subchannel.unref();
  }

  /** The remote group is connected when calls need it, whoever asks. */
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

  /** An empty list is not left to the groups: with one, round_robin lets calls wait for ever. The next list begins anew. */
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

  /** Brings the remote group, the picker and the timers in line with how the groups are. */
  #settle(): void {
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
    // No call asks it to connect while calls go elsewhere.
    if (this.#remote.isReady && this.#local.current?.state === IDLE) this.#local.connect();
    this.#isPaused = false;
    this.#publish(config);
    if (this.#config !== config) return; // who was told may have closed the channel, or given it another
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
      this.#settle();
    });
  }

  #stopRemote(): void {
    if (!isConnected(this.#remoteState)) return;
    this.#setRemoteState({ t: "off" });
    this.#remote.stop();
  }

  #publish(config: LocalityConfig): void {
    const local = this.#local.current;
    // Without endpoints it goes as soon as the picker is there, and whether calls would wait for it is up to its policy.
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
      this.#settle();
    });
  }
}

function hasAddress(endpoints: readonly GrpcEndpoint[], wanted: ReadonlySet<string>): boolean {
  return endpoints.some(({ addresses }) => addresses.some((address) => wanted.has(addressKey(address))));
}

function mixPickers(local: Picker, remote: Picker, share: number, random: Random): Picker {
  return { pick: (args) => (random() < share ? local : remote).pick(args) };
}
