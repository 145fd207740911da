import type { ChannelOptions } from "@grpc/grpc-js";
import {
  type ChannelControlHelper,
  connectivityState,
  type GrpcEndpoint,
  type LoadBalancer,
  type PickArgs,
  type Picker,
  QueuePicker,
  type StatusOr,
  UnavailablePicker,
} from "../grpc-js.ts";
import { type Balancer, noEndpointMessage } from "./balancer.ts";
import { CallTracker } from "./call-tracker.ts";
import { Child, type ChildOwner, type PreviousChildState } from "./child.ts";
import { PolicyDiagnostics, pickChannel } from "./diagnostics.ts";
import { mergeEndpoints } from "./endpoint-info.ts";
import type { CommonConfig, PickerInput, Policy, PolicyContext, PolicyInstance } from "./policy.ts";

const { IDLE, CONNECTING, READY, TRANSIENT_FAILURE } = connectivityState;
const noCalls = { inFlight: 0 };

/**
 * Shared base balancer of every policy that picks among endpoints: one child per endpoint, and a new picker whenever the set of
 * endpoints that can take calls changes.
 *
 * - Children are reconciled: a child that stays keeps its connection and its state through every update of endpoints, order,
 *   weights or configuration. The new picker is published before the connection of a child that leaves is released.
 * - All endpoints are kept connected, as by round_robin: no call waits for a connection while another endpoint is READY.
 * - With an empty list calls fail at once with the resolver's note. An error of the resolver keeps the endpoints there are.
 */
export class EndpointBalancer<Config extends CommonConfig, EndpointState>
  implements Balancer<Config>, ChildOwner<EndpointState>
{
  readonly #policy: Policy<Config, EndpointState>;
  readonly #helper: ChannelControlHelper;
  readonly #context: PolicyContext;
  readonly #diagnostics: PolicyDiagnostics;
  readonly #instance: PolicyInstance<Config, EndpointState>;
  readonly #tracker: CallTracker<EndpointState> | undefined;
  #children = new Map<string, Child<EndpointState>>();
  #config: Config | undefined;
  #state: connectivityState = IDLE;
  #lastMessage: string | null = null;
  /** While many children change at once: one picker at the end is enough. */
  #isPaused = false;
  /** A child requested a resolution while children changed. */
  #wantsReresolution = false;
  #refresh: AbortController | undefined;

  constructor(policy: Policy<Config, EndpointState>, helper: ChannelControlHelper, context: PolicyContext) {
    this.#policy = policy;
    this.#helper = helper;
    this.#context = context;
    this.#diagnostics = new PolicyDiagnostics(policy.name);
    const instance = policy.createInstance(context);
    this.#instance = instance;
    if (instance.countsCalls || instance.onCallEnded) {
      this.#tracker = new CallTracker({ clock: context.clock, onCallEnded: instance.onCallEnded?.bind(instance) });
    }
  }

  /** All endpoints, in the resolver's order. */
  get children(): readonly Child<EndpointState>[] {
    return [...this.#children.values()];
  }

  update(found: StatusOr<GrpcEndpoint[]>, config: Config, options: ChannelOptions, note: string): void {
    if (!found.ok) {
      if (this.#children.size === 0) this.#fail(found.error.details ?? "name resolution failed");
      else this.#setConfig(config);
      this.#publishUpdate();
      return;
    }
    this.#diagnostics.readTarget(options);
    this.#config = config;
    const leaving = this.#reconcile(mergeEndpoints(found.value), options, note);
    if (this.#children.size === 0) this.#fail(noEndpointMessage(this.#policy.name, note));
    else this.#publish();
    for (const child of leaving) this.#drop(child);
    this.#publishUpdate();
    if (this.#wantsReresolution) this.requestReresolution();
  }

  connect(): void {
    for (const child of this.#children.values()) child.connect();
  }

  destroy(): void {
    this.#refresh?.abort();
    this.#isPaused = true;
    for (const child of this.#children.values()) this.#drop(child);
    this.#children.clear();
  }

  onChildState(child: Child<EndpointState>, previous: PreviousChildState, message: string | null): void {
    const isLost = previous.state === READY && !child.isReady;
    if (message) this.#lastMessage = message;
    if (child.isReady && previous.state !== READY) child.readyAtMs = this.#context.clock.now();
    if (child.isReady && child.connected !== previous.connected && this.#config) {
      this.#instance.onConnected?.(child, this.#config);
    }
    if (isLost) {
      child.readyAtMs = undefined;
      this.#instance.onDisconnected?.(child);
    }
    this.#publishChanges(child, previous);
    if (!this.#isPaused) {
      child.connect();
      this.#publish();
    }
    if (isLost) this.requestReresolution();
  }

  /** The last step of an update or of a child's change: the resolver may answer at once, with another update. */
  requestReresolution(): void {
    this.#wantsReresolution = this.#isPaused;
    if (!this.#isPaused) this.#helper.requestReresolution();
  }

  #setConfig(config: Config): void {
    this.#config = config;
    this.#publish();
  }

  /** @returns the children that are not in the list any more */
  #reconcile(
    endpoints: ReadonlyMap<string, GrpcEndpoint>,
    options: ChannelOptions,
    note: string,
  ): Child<EndpointState>[] {
    const had = this.#children;
    this.#children = new Map();
    this.#isPaused = true;
    for (const [id, endpoint] of endpoints) {
      const known = had.get(id);
      had.delete(id);
      const child =
        known ??
        new Child<EndpointState>(endpoint, this.#instance.createEndpointState(), this, this.#helper, options, note);
      child.index = this.#children.size;
      this.#children.set(id, child);
      if (known) known.update(endpoint, options);
      else child.start();
    }
    this.#isPaused = false;
    return [...had.values()];
  }

  #drop(child: Child<EndpointState>): void {
    if (child.isReady) this.#instance.onDisconnected?.(child);
    if (child.connected) this.#diagnostics.publishConnection(child.info, false);
    child.destroy();
  }

  #publish(): void {
    if (this.#isPaused || !this.#config) return;
    const children = this.children;
    const ready = selectReady(children, this.#config.panicThreshold);
    this.#refresh?.abort();
    if (ready.length > 0) {
      const input = {
        config: this.#config,
        children,
        ready,
        calls: this.#tracker ?? noCalls,
        nowMs: this.#context.clock.now(),
      };
      const picker = this.#createPicker(input);
      this.#refreshLater(this.#instance.refreshMs?.(input)); // before the picker, whose listener may close the channel
      this.#set(READY, picker, null);
      return;
    }
    const has = (state: connectivityState) => children.some((child) => child.state === state);
    if (has(CONNECTING)) {
      this.#set(CONNECTING, new QueuePicker(this.#asBalancer), null);
    } else if (has(TRANSIENT_FAILURE)) {
      const message = `${this.#policy.name}: no endpoint of ${children.length} can be reached: ${this.#lastMessage ?? "all of them failed"}`;
      this.#set(TRANSIENT_FAILURE, new UnavailablePicker({ details: message }), message);
    } else {
      this.#set(IDLE, new QueuePicker(this.#asBalancer), null);
    }
  }

  #createPicker(input: PickerInput<Config, EndpointState>): Picker {
    const pickChild = this.#instance.createPicker(input);
    const tracker = this.#tracker;
    const diagnostics = this.#diagnostics;
    return {
      pick(args: PickArgs) {
        const child = pickChild(args);
        const result = child.pick(args);
        if (!result.subchannel) return result;
        if (pickChannel.hasSubscribers) diagnostics.publishPick(child.info);
        return tracker ? tracker.track(child, result) : result;
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

/** The children that are READY; the ejected ones too when fewer than the threshold are. */
function selectReady<EndpointState>(
  children: readonly Child<EndpointState>[],
  panicThreshold: number,
): Child<EndpointState>[] {
  const ready = children.filter((child) => child.isReady);
  if (ready.length * 100 >= panicThreshold * children.length) return ready;
  return children.filter((child) => child.isReady || child.connected);
}
