import { setImmediate as turn } from "node:timers/promises";
import { type ChannelOptions, Metadata, status } from "@grpc/grpc-js";
import { messageOf, type Random } from "@grpc-lb/core";
import {
  type ChannelControlHelper,
  connectivityState,
  type GrpcEndpoint,
  type LoadBalancer,
  type PickArgs,
  type Picker,
  type PickResult,
  PickResultType,
  QueuePicker,
  type StatusOr,
  UnavailablePicker,
} from "../grpc-js.ts";
import { type Balancer, type BalancerContext, noEndpointMessage } from "./balancer.ts";
import { CallTracker } from "./call-tracker.ts";
import { Child, type ChildOwner, isSameConnection, type PreviousChildState } from "./child.ts";
import { type ConnectionTiming, defaultTiming } from "./connection-timing.ts";
import { PolicyDiagnostics, pickChannel } from "./diagnostics.ts";
import { mergeEndpoints } from "./endpoint-info.ts";
import { EndpointRecord } from "./endpoint-record.ts";
import { FailedAttempts, mayHedge } from "./failed-attempts.ts";
import type { CommonConfig, PickChild, PickerInput, Policy, PolicyInstance } from "./policy.ts";
import { selectReady, selectTrusted } from "./select-children.ts";
import type { PolicyStats, StatsSource } from "./stats.ts";

const { IDLE, CONNECTING, READY, TRANSIENT_FAILURE } = connectivityState;
const noCalls = { inFlight: 0 };

/** A retry that picks an avoided child picks again up to this many times. Then the first other child takes the call. */
const maxRepicks = 16;

/**
 * Shared base balancer of every policy that picks among endpoints: one child per endpoint, and a new picker whenever the set of
 * endpoints that can take calls changes.
 *
 * - Children are reconciled: a child that stays keeps its connection and its state through every update of endpoints, order,
 *   weights or configuration. The new picker is published before a removed child releases its connection.
 * - All endpoints are kept connected, as in round_robin: no call waits for a connection while another endpoint is READY.
 * - The first calls of a channel wait a short time (`minGatherMs`, `maxGatherMs`) for further connections, and endpoints connect in
 *   random order. Otherwise the first endpoint of the list would take the first calls of every channel.
 * - A connection that closes right after it was opened counts as a failed attempt. The next attempt waits for a growing backoff, and
 *   calls go to other endpoints until a connection has lasted `trustAfterMs`.
 * - The state of an endpoint (calls in flight, the policy's state, slow start) survives a short absence: see `memoryMs`.
 * - A retry goes to an endpoint on which the call has not failed yet, if there is one.
 * - With an empty list, calls fail at once with the resolver's note. On an error of the resolver, the endpoints stay.
 */
export class EndpointBalancer<Config extends CommonConfig, EndpointState>
  implements Balancer<Config>, ChildOwner<EndpointState>, StatsSource
{
  readonly #policy: Policy<Config, EndpointState>;
  readonly #helper: ChannelControlHelper;
  readonly #context: BalancerContext;
  readonly #timing: ConnectionTiming;
  readonly #diagnostics: PolicyDiagnostics;
  readonly #instance: PolicyInstance<Config, EndpointState>;
  readonly #tracker: CallTracker<EndpointState> | undefined;
  #children = new Map<string, Child<EndpointState>>();
  #config: Config | undefined;
  #state: connectivityState = IDLE;
  #lastMessage: string | null = null;
  /** Set while many children change at once, so that one picker is published at the end. */
  #isPaused = false;
  /** Whether a child requested a resolution while `#isPaused`. */
  #wantsReresolution = false;
  #refresh: AbortController | undefined;
  /** Since when calls wait for a connection; undefined while the balancer is READY. */
  #waitingSinceMs: number | undefined;
  /** Until when the first calls wait for further connections; undefined before the first connection. */
  #gatherEndMs: number | undefined;
  /** The children that wait for their backoff after a short-lived connection. */
  readonly #backoffs = new Map<Child<EndpointState>, AbortController>();
  /** The records of endpoints that have left the list. */
  readonly #departed = new Map<string, EndpointRecord<EndpointState>>();
  readonly #failedAttempts = new FailedAttempts();

  constructor(policy: Policy<Config, EndpointState>, helper: ChannelControlHelper, context: BalancerContext) {
    this.#policy = policy;
    this.#helper = helper;
    this.#context = context;
    this.#timing = context.timing ?? defaultTiming;
    this.#diagnostics = new PolicyDiagnostics(policy.name);
    const instance = policy.createInstance(context);
    this.#instance = instance;
    if (instance.countsCalls || instance.onCallEnded) {
      this.#tracker = new CallTracker({
        clock: context.clock,
        onCallEnded: instance.onCallEnded?.bind(instance),
        failedAttempts: this.#failedAttempts,
      });
    }
    context.running?.add(this);
  }

  get stats(): PolicyStats {
    const isCounting = this.#tracker !== undefined;
    const endpoints = this.children.map(({ info: endpoint, isReady, isEjected, record: { picks, inFlight } }) => ({
      ...{ endpoint, isReady, isEjected, picks },
      inFlight: isCounting ? inFlight : undefined,
    }));
    return { target: this.#diagnostics.target, policy: this.#policy.name, endpoints };
  }

  /** All endpoints, in the resolver's order. */
  get children(): readonly Child<EndpointState>[] {
    return [...this.#children.values()];
  }

  update(found: StatusOr<GrpcEndpoint[]>, config: Config, options: ChannelOptions, note: string): void {
    this.#diagnostics.readTarget(options);
    if (!found.ok) {
      if (this.#children.size === 0) this.#fail(found.error.details ?? "name resolution failed");
      else this.#setConfig(config);
      this.#publishUpdate();
      return;
    }
    this.#config = config;
    this.#failedAttempts.includesPending = mayHedge(options);
    const leaving = this.#reconcile(mergeEndpoints(found.value), options, note);
    if (this.#children.size === 0) this.#fail(noEndpointMessage(this.#policy.name, note));
    else this.#publish();
    for (const child of leaving) this.#drop(child);
    this.#publishUpdate();
    if (this.#wantsReresolution) this.requestReresolution();
  }

  connect(): void {
    for (const child of this.#children.values()) if (!this.#backoffs.has(child)) child.connect();
  }

  destroy(): void {
    this.#context.running?.delete(this);
    this.#refresh?.abort();
    this.#tracker?.close();
    this.#isPaused = true;
    for (const child of this.#children.values()) this.#drop(child);
    this.#children.clear();
    this.#diagnostics.publishEnd();
  }

  onChildState(child: Child<EndpointState>, previous: PreviousChildState, message: string | null): void {
    const isLost = previous.state === READY && !child.isReady;
    if (message) this.#lastMessage = message;
    this.#recordConnection(child, previous);
    if (child.isReady) child.readyAtMs = child.record.readySinceMs;
    if (child.isReady && !isSameConnection(child.connected, previous.connected) && this.#config) {
      this.#instance.onConnected?.(child, this.#config);
    }
    if (isLost) {
      child.readyAtMs = undefined;
      this.#instance.onDisconnected?.(child);
    }
    this.#publishChanges(child, previous);
    if (!this.#isPaused) {
      if (!this.#backoffs.has(child)) child.connect();
      this.#publish();
    }
    if (isLost) this.requestReresolution();
  }

  /** Must be the last step of an update or of a child's change: the resolver may call `update` again before it returns. */
  requestReresolution(): void {
    this.#wantsReresolution = this.#isPaused;
    if (!this.#isPaused) this.#helper.requestReresolution();
  }

  #setConfig(config: Config): void {
    this.#config = config;
    this.#publish();
  }

  /** @returns the children that are no longer in the list */
  #reconcile(
    endpoints: ReadonlyMap<string, GrpcEndpoint>,
    options: ChannelOptions,
    note: string,
  ): Child<EndpointState>[] {
    const had = this.#children;
    this.#children = new Map();
    this.#isPaused = true;
    this.#forget();
    const added: Child<EndpointState>[] = [];
    for (const [id, endpoint] of endpoints) {
      const known = had.get(id);
      had.delete(id);
      const child = known ?? new Child(endpoint, this.#recordOf(id), this, this.#helper, options, note);
      child.index = this.#children.size;
      this.#children.set(id, child);
      if (known) known.update(endpoint, options);
      else added.push(child);
    }
    shuffle(added, this.#context.random);
    for (const child of added) child.start();
    this.#isPaused = false;
    return [...had.values()];
  }

  /** The record of an endpoint that is new in the list: its old one if the endpoint left only recently, else a new one. */
  #recordOf(id: string): EndpointRecord<EndpointState> {
    const record = this.#departed.get(id) ?? new EndpointRecord(this.#instance.createEndpointState(), this.#timing);
    this.#departed.delete(id);
    return record;
  }

  #forget(): void {
    const nowMs = this.#context.clock.now();
    for (const [id, record] of this.#departed) if (record.isForgettable(nowMs)) this.#departed.delete(id);
  }

  #remember(child: Child<EndpointState>): void {
    const nowMs = this.#context.clock.now();
    child.record.leave(nowMs);
    this.#departed.set(child.info.id, child.record);
  }

  #recordConnection(child: Child<EndpointState>, { state: previousState, isOpen: wasOpen }: PreviousChildState): void {
    const isOpen = child.connected !== undefined;
    const { clock, random } = this.#context;
    if (child.state !== IDLE) this.#endBackoff(child);
    if (child.state === CONNECTING && previousState !== CONNECTING) child.record.attempt(clock.now());
    if (isOpen === wasOpen) return;
    if (isOpen) {
      child.record.open(clock.now(), this.#children.size === 1 ? "none" : this.#state === READY ? "ready" : "waiting");
      if (!child.record.isSettled) void this.#settle(child);
      return;
    }
    const backoffMs = child.record.close(clock.now(), random);
    if (backoffMs === 0 || child.state !== IDLE) return;
    this.#lastMessage = `${child.info.address} closed the connection right after it was opened`;
    const timer = new AbortController();
    this.#backoffs.set(child, timer);
    void clock.sleep(backoffMs, timer.signal, { background: true }).then(() => {
      if (timer.signal.aborted) return;
      this.#backoffs.delete(child);
      child.connect();
    });
  }

  /** Lets a new connection take calls once it has settled. In the two turns, Node reads a close that has already arrived. */
  async #settle(child: Child<EndpointState>): Promise<void> {
    const { openings } = child.record;
    await this.#context.clock.sleep(child.record.settleMs, child.signal, { background: true });
    await turn();
    await turn();
    if (child.signal.aborted || !child.connected || child.record.openings !== openings) return;
    child.record.settle();
    this.#publish();
  }

  #endBackoff(child: Child<EndpointState>): void {
    this.#backoffs.get(child)?.abort();
    this.#backoffs.delete(child);
  }

  #drop(child: Child<EndpointState>): void {
    this.#endBackoff(child);
    this.#remember(child);
    if (child.isReady) this.#instance.onDisconnected?.(child);
    if (child.connected) this.#diagnostics.publishConnection(child.info, false);
    child.destroy();
  }

  #publish(): void {
    if (this.#isPaused || !this.#config) return;
    const children = this.children;
    const nowMs = this.#context.clock.now();
    const connected = selectReady(children, this.#config.panicThreshold);
    const has = (state: connectivityState) => children.some((child) => this.#stateOf(child) === state);
    this.#refresh?.abort();
    this.#waitingSinceMs ??= nowMs;
    const gatherEndMs = this.#gatherEnd(connected, has(CONNECTING), nowMs);
    if (nowMs < gatherEndMs) {
      this.#refreshLater(gatherEndMs - nowMs);
      if (this.#state !== CONNECTING) this.#set(CONNECTING, new QueuePicker(this.#asBalancer), null);
      return;
    }
    const { ready, nextMs } = selectTrusted(connected, nowMs);
    if (ready.length > 0) {
      this.#waitingSinceMs = undefined;
      this.#gatherEndMs = undefined;
      const input = { config: this.#config, children, ready, calls: this.#tracker ?? noCalls, nowMs };
      if (this.#tracker) this.#tracker.longCallAfterMs = this.#instance.longCallAfterMs?.(this.#config) ?? Infinity;
      const picker = this.#createPicker(input);
      const refreshMs = Math.min(this.#instance.refreshMs?.(input) ?? Infinity, nextMs - nowMs);
      // Before the picker is published: a listener may then close the channel.
      this.#refreshLater(refreshMs === Infinity ? undefined : refreshMs);
      this.#set(READY, picker, null);
      return;
    }
    if (has(CONNECTING)) {
      this.#set(CONNECTING, new QueuePicker(this.#asBalancer), null);
    } else if (has(TRANSIENT_FAILURE)) {
      const message = `${this.#policy.name}: none of ${children.length} endpoints can be reached: ${this.#lastMessage ?? "all connections failed"}`;
      this.#set(TRANSIENT_FAILURE, new UnavailablePicker({ details: message }), message);
    } else {
      this.#set(IDLE, new QueuePicker(this.#asBalancer), null);
    }
  }

  /** Until when the first calls wait for further connections, and for open ones to settle; -Infinity if they do not wait. */
  #gatherEnd(connected: readonly Child<EndpointState>[], isConnecting: boolean, nowMs: number): number {
    const canTakeCalls = this.#state === READY && connected.some(({ record }) => record.isSettled);
    if (canTakeCalls || connected.length === 0) {
      this.#gatherEndMs = undefined;
      return Number.NEGATIVE_INFINITY;
    }
    const { minGatherMs, maxGatherMs, maxSettleMs } = this.#timing;
    const tookMs = nowMs - (this.#waitingSinceMs ?? nowMs);
    this.#gatherEndMs ??= nowMs + Math.min(Math.max(tookMs, minGatherMs), maxGatherMs);
    const isComplete = connected.every(({ record }) => record.isSettled);
    if (!isConnecting && isComplete) return Number.NEGATIVE_INFINITY;
    // Connections that were opened in time publish when they settle, which a busy process may delay. Without this wait, a connection
    // could take calls and lose them again to the first one that settles.
    const gatherEndMs = this.#gatherEndMs;
    const isLate = nowMs >= gatherEndMs && connected.some(({ record }) => record.isSettling(gatherEndMs));
    return isLate ? nowMs + maxSettleMs : gatherEndMs;
  }

  /** A child in backoff is IDLE in grpc-js. After one short-lived connection, calls wait for the next; after several, they fail. */
  #stateOf(child: Child<EndpointState>): connectivityState {
    if (!this.#backoffs.has(child)) return child.state;
    return child.record.shortLived > 1 ? TRANSIENT_FAILURE : CONNECTING;
  }

  #createPicker(input: PickerInput<Config, EndpointState>): Picker {
    const pickChild = this.#instance.createPicker(input);
    const tracker = this.#tracker;
    const diagnostics = this.#diagnostics;
    const failedAttempts = this.#failedAttempts;
    const { name } = this.#policy;
    const { ready } = input;
    return {
      pick(args: PickArgs) {
        const avoided = failedAttempts.avoidable(args, ready);
        let child: Child<EndpointState>;
        try {
          child = avoided ? pickOther(pickChild, args, avoided, ready) : pickChild(args);
        } catch (error) {
          return failedPick(`policy ${name}: ${messageOf(error)}`);
        }
        const result = child.pick(args);
        if (!result.subchannel) return result;
        child.record.picks += 1;
        failedAttempts.start(args, child.record);
        if (pickChannel.hasSubscribers) diagnostics.publishPick(child.info);
        return tracker ? tracker.track(child, result, args) : failedAttempts.watch(args, child.record, result);
      },
    };
  }

  #publishChanges(child: Child<EndpointState>, previous: PreviousChildState): void {
    const wasConnected = previous.state === READY || previous.isEjected;
    const isConnected = child.connected !== undefined;
    if (isConnected !== wasConnected) this.#diagnostics.publishConnection(child.info, isConnected);
    if (child.isEjected !== previous.isEjected) this.#diagnostics.publishEjection(child.info, child.isEjected);
  }

  #publishUpdate(): void {
    this.#diagnostics.publishUpdate(this.#config, () => this.children.map(({ info }) => info));
  }

  #refreshLater(ms: number | undefined): void {
    if (ms === undefined) return;
    const refresh = new AbortController();
    this.#refresh = refresh;
    void this.#context.clock.sleep(ms, refresh.signal, { background: true }).then(() => {
      if (!refresh.signal.aborted) this.#publish();
    });
  }

  #fail(message: string): void {
    this.#refresh?.abort();
    this.#set(TRANSIENT_FAILURE, new UnavailablePicker({ details: message }), message);
  }

  #set(state: connectivityState, picker: Picker, message: string | null): void {
    this.#state = state;
    this.#helper.updateState(state, picker, message);
  }

  get state(): connectivityState {
    return this.#state;
  }

  /** A QueuePicker only calls `exitIdle`. */
  get #asBalancer(): LoadBalancer {
    return { exitIdle: () => this.connect() } as LoadBalancer;
  }
}

/** Fails the call, also one with `waitForReady`. */
function failedPick(details: string): PickResult {
  const failure = { code: status.INTERNAL, details, metadata: new Metadata() };
  return {
    ...{ pickResultType: PickResultType.DROP, subchannel: null, status: failure },
    ...{ onCallStarted: null, onCallEnded: null },
  };
}

/** Picks until it gets a child that is not avoided. */
function pickOther<EndpointState>(
  pickChild: PickChild<EndpointState>,
  args: PickArgs,
  avoided: ReadonlySet<Child<EndpointState>>,
  ready: readonly Child<EndpointState>[],
): Child<EndpointState> {
  let child = pickChild(args, avoided);
  for (let repicks = 0; avoided.has(child) && repicks < maxRepicks; repicks++) child = pickChild(args, avoided);
  return avoided.has(child) ? (ready.find((other) => !avoided.has(other)) ?? child) : child;
}

/** Shuffles a list in place (Fisher-Yates). */
function shuffle(list: unknown[], random: Random): void {
  for (let last = list.length - 1; last > 0; last--) {
    const drawn = Math.floor(random() * (last + 1));
    [list[last], list[drawn]] = [list[drawn], list[last]];
  }
}
