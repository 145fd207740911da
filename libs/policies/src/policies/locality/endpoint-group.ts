import type { ChannelOptions } from "@grpc/grpc-js";
import type { Clock } from "@grpc-lb/core";
import { mergeEndpoints } from "../../balancer/endpoint-info.ts";
import {
  type ChannelControlHelper,
  ChildLoadBalancerHandler,
  connectivityState,
  createChildChannelControlHelper,
  type GrpcEndpoint,
  type LoadBalancingConfig,
  type PickArgs,
  type Picker,
  type PickResult,
  type StatusOr,
  type Subchannel,
} from "../../grpc-js.ts";
import { addressKey, EndpointHealth } from "./endpoint-health.ts";
import { type SubchannelWatcher, WatchedSubchannel } from "./watched-subchannel.ts";

/** The state that a group's policy has published. */
export interface GroupState {
  readonly state: connectivityState;
  readonly picker: Picker;
  readonly message: string | null;
}

/** Some of a channel's endpoints with their own policy instance and health. */
export class EndpointGroup implements SubchannelWatcher {
  readonly #handler: InstanceType<typeof ChildLoadBalancerHandler>;
  readonly #clock: Clock;
  readonly #onChange: () => void;
  readonly #health = new EndpointHealth();
  readonly #held = new Set<WatchedSubchannel>();
  #current: GroupState | undefined;

  /** @param onChange called when the group, or the health of its endpoints, may have changed; also during `update` */
  constructor(helper: ChannelControlHelper, clock: Clock, onChange: () => void) {
    this.#clock = clock;
    this.#onChange = onChange;
    this.#handler = new ChildLoadBalancerHandler(
      createChildChannelControlHelper(helper, {
        createSubchannel: (address, args) =>
          new WatchedSubchannel(helper.createSubchannel(address, args), addressKey(address), this),
        updateState: (state, picker, message) => {
          this.#current = { state, picker: unwrap(picker), message };
          onChange();
        },
      }),
    );
  }

  /** Undefined before the first `update` and after `stop`. */
  get current(): GroupState | undefined {
    return this.#current;
  }

  get isReady(): boolean {
    return this.#current?.state === connectivityState.READY;
  }

  /** The subchannels in use. */
  get held(): readonly Subchannel[] {
    return [...this.#held].map(({ inner }) => inner);
  }

  /** Their addresses, as `addressKey` formats them. */
  get heldAddresses(): ReadonlySet<string> {
    return new Set([...this.#held].map(({ address }) => address));
  }

  update(found: StatusOr<GrpcEndpoint[]>, config: LoadBalancingConfig, options: ChannelOptions, note: string): void {
    if (found.ok) this.#health.update(mergeEndpoints(found.value));
    this.#handler.updateAddressList(found, config, options, note);
  }

  /** The share of endpoints that can take calls, from 0 to 1; an endpoint that was not tried yet counts as healthy. */
  healthyShare(connectTimeoutMs: number): number {
    return this.#health.share(this.#clock.now(), connectTimeoutMs);
  }

  /** When `healthyShare` may drop just because time passes; undefined for never. */
  nextChangeMs(connectTimeoutMs: number): number | undefined {
    return this.#health.nextChangeMs(this.#clock.now(), connectTimeoutMs);
  }

  connect(): void {
    this.#handler.exitIdle();
  }

  /** Releases all connections; the next `update` starts from scratch. */
  stop(): void {
    this.#handler.destroy();
    this.#current = undefined;
    this.#health.update(new Map());
  }

  onHeld(subchannel: WatchedSubchannel): void {
    this.#held.add(subchannel);
    this.#health.hold(subchannel, this.#clock.now());
  }

  onState(subchannel: WatchedSubchannel, state: connectivityState): void {
    this.#health.noteState(subchannel, state, this.#clock.now());
  }

  onChanged(): void {
    this.#onChange();
  }

  onReleased(subchannel: WatchedSubchannel): void {
    this.#held.delete(subchannel);
    this.#health.release(subchannel);
  }
}

/** A policy above expects its own subchannels in pick results. */
function unwrap(picker: Picker): Picker {
  return {
    pick(args: PickArgs): PickResult {
      const result = picker.pick(args);
      const { subchannel } = result;
      // In place: every policy creates a result per pick, and a copy would be one more allocation.
      if (subchannel instanceof WatchedSubchannel) (result as { subchannel: Subchannel }).subchannel = subchannel.inner;
      return result;
    },
  };
}
