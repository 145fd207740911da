import type { ChannelOptions } from "@grpc/grpc-js";
import { CallTracker } from "./call-tracker.ts";
import { Child, type ChildBefore, type ChildOwner } from "./child.ts";
import { mergeEndpoints } from "./endpoint-info.ts";
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
import { noEndpointMessage } from "./balancer.ts";
import type { Chooser, CommonConfig, Policy, PolicyContext, View } from "./policy.ts";

const { IDLE, CONNECTING, READY, TRANSIENT_FAILURE } = connectivityState;
const noCalls = { inFlight: 0 };

/**
 * The plumbing of every policy that chooses among endpoints: one connection for each, and a picker that is made anew whenever
 * what can be chosen has changed.
 *
 * - Children are reconciled: one that stays keeps its connection and what is remembered of it, through every update of
 *   endpoints, order, weights or configuration. The new picker is in place before the connection of one that leaves is given up.
 * - All are kept connected, as by round_robin, so that a call never waits for a connection while another endpoint is READY.
 * - An empty list fails calls at once with the resolver's note; an error of the resolver leaves what there is.
 */
export class EndpointBalancer<Config extends CommonConfig, Load> implements ChildOwner {
  readonly #policy: Policy<Config, Load>;
  readonly #helper: ChannelControlHelper;
  readonly #context: PolicyContext;
  readonly #chooser: Chooser<Config, Load>;
  readonly #tracker: CallTracker<Load> | undefined;
  #children = new Map<string, Child<Load>>();
  #config: Config | undefined;
  #state: connectivityState = IDLE;
  #lastMessage: string | null = null;
  /** While many children change at once, one picker at the end is enough. */
  #isPaused = false;
  /** Asked for while children changed. */
  #wantsReresolution = false;
  #refresh: AbortController | undefined;

  constructor(policy: Policy<Config, Load>, helper: ChannelControlHelper, context: PolicyContext) {
    this.#policy = policy;
    this.#helper = helper;
    this.#context = context;
    const chooser = policy.createChooser(context);
    this.#chooser = chooser;
    if (chooser.countsCalls || chooser.onCallEnded) {
      this.#tracker = new CallTracker({ clock: context.clock, onCallEnded: chooser.onCallEnded?.bind(chooser) });
    }
  }

  /** The endpoints that there are, in the resolver's order. */
  get children(): readonly Child<Load>[] {
    return [...this.#children.values()];
  }

  /** Takes what the resolver has found, and the configuration that goes with it. */
  update(found: StatusOr<GrpcEndpoint[]>, config: Config, options: ChannelOptions, note: string): void {
    if (!found.ok) {
      if (this.#children.size === 0) this.#fail(found.error.details ?? "name resolution failed");
      else this.#setConfig(config);
      return;
    }
    this.#config = config;
    const leaving = this.#reconcile(mergeEndpoints(found.value), options, note);
    if (this.#children.size === 0) this.#fail(noEndpointMessage(this.#policy.name, note));
    else this.#publish();
    for (const child of leaving) this.#drop(child);
    if (this.#wantsReresolution) this.requestReresolution();
  }

  /** Connections come back by themselves; this hastens it. */
  connect(): void {
    for (const child of this.#children.values()) child.connect();
  }

  /** Gives all connections back; nothing is published any more. */
  destroy(): void {
    this.#refresh?.abort();
    this.#isPaused = true;
    for (const child of this.#children.values()) this.#drop(child);
    this.#children.clear();
  }

  onChildState(child: Child, was: ChildBefore, message: string | null): void {
    const known = child as Child<Load>;
    const isLost = was.state === READY && !child.isReady;
    if (message) this.#lastMessage = message;
    if (child.isReady && was.state !== READY) known.readyAtMs = this.#context.clock.now();
    if (child.isReady && child.connected !== was.connected && this.#config) {
      this.#chooser.onConnected?.(known, this.#config);
    }
    if (isLost) {
      known.readyAtMs = undefined;
      this.#chooser.onDisconnected?.(known);
    }
    if (!this.#isPaused) {
      child.connect();
      this.#publish();
    }
    if (isLost) this.requestReresolution();
  }

  /** Comes last in what a child or an update sets off, as a resolver may answer at once, with another update. */
  requestReresolution(): void {
    this.#wantsReresolution = this.#isPaused;
    if (!this.#isPaused) this.#helper.requestReresolution();
  }

  #setConfig(config: Config): void {
    this.#config = config;
    this.#publish();
  }

  /** @returns the children that have no place any more */
  #reconcile(endpoints: ReadonlyMap<string, GrpcEndpoint>, options: ChannelOptions, note: string): Child<Load>[] {
    const had = this.#children;
    this.#children = new Map();
    this.#isPaused = true;
    for (const [id, endpoint] of endpoints) {
      const known = had.get(id);
      had.delete(id);
      const child = known ?? new Child<Load>(endpoint, this.#chooser.createLoad(), this, this.#helper, options, note);
      child.index = this.#children.size;
      this.#children.set(id, child);
      if (known) known.update(endpoint, options);
      else child.start();
    }
    this.#isPaused = false;
    return [...had.values()];
  }

  #drop(child: Child<Load>): void {
    if (child.isReady) this.#chooser.onDisconnected?.(child);
    child.destroy();
  }

  #publish(): void {
    if (this.#isPaused || !this.#config) return;
    const children = this.children;
    const usable = selectUsable(children, this.#config.panicThreshold);
    this.#refresh?.abort();
    if (usable.length > 0) {
      const view = {
        config: this.#config,
        children,
        usable,
        calls: this.#tracker ?? noCalls,
        nowMs: this.#context.clock.now(),
      };
      const picker = this.#createPicker(view);
      this.#refreshLater(this.#chooser.refreshMs?.(view)); // before the picker, at which the channel may be closed
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

  #createPicker(view: View<Config, Load>): Picker {
    const choose = this.#chooser.prepare(view);
    const tracker = this.#tracker;
    if (!tracker) return { pick: (args: PickArgs) => choose(args).pick(args) };
    return {
      pick(args: PickArgs) {
        const child = choose(args);
        const result = child.pick(args);
        return result.subchannel ? tracker.track(child, result) : result;
      },
    };
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

  /** A queue picker asks no more of a balancer than to connect. */
  get #asBalancer(): LoadBalancer {
    return { exitIdle: () => this.connect() } as LoadBalancer;
  }
}

/** Those that are READY; with those that were ejected, when too few are. */
function selectUsable<Load>(children: readonly Child<Load>[], panicThreshold: number): Child<Load>[] {
  const ready = children.filter((child) => child.isReady);
  if (ready.length * 100 >= panicThreshold * children.length) return ready;
  return children.filter((child) => child.isReady || child.connected);
}
