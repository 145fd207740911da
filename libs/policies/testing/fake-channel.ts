import type { ChannelOptions } from "@grpc/grpc-js";
import { attachEndpoint } from "@grpc-lb/discovery";
import {
  type ChannelControlHelper,
  ChildLoadBalancerHandler,
  connectivityState,
  type GrpcEndpoint,
  type LoadBalancer,
  type OnCallEnded,
  type Picker,
  type PickResult,
  PickResultType,
  type PolicyJson,
  parsePolicy,
  type Subchannel,
  statusOrFromError,
  statusOrFromValue,
} from "../src/grpc-js.ts";

type Listener = Parameters<Subchannel["addConnectivityStateListener"]>[0];
type HealthListener = Parameters<Subchannel["addHealthStateWatcher"]>[0];

/** A connection whose state the test sets. */
export class FakeSubchannel {
  readonly address: string;
  state = connectivityState.IDLE;
  /** The number of references to it; 0 when all are released. */
  refs = 0;
  #isHealthy = true;
  readonly #listeners = new Set<Listener>();
  readonly #healthListeners = new Set<HealthListener>();

  constructor(address: string) {
    this.address = address;
  }

  /** Sets the connection's state. */
  become(state: connectivityState, message?: string): void {
    const was = this.state;
    this.state = state;
    for (const listener of [...this.#listeners]) listener(this as unknown as Subchannel, was, state, -1, message);
  }

  /** Ejects the connection, or takes it back, as outlier_detection does. */
  setHealthy(isHealthy: boolean): void {
    this.#isHealthy = isHealthy;
    for (const listener of [...this.#healthListeners]) listener(isHealthy);
  }

  getConnectivityState = () => this.state;
  isHealthy = () => this.#isHealthy;
  getAddress = () => this.address;
  addConnectivityStateListener = (listener: Listener) => void this.#listeners.add(listener);
  removeConnectivityStateListener = (listener: Listener) => void this.#listeners.delete(listener);
  addHealthStateWatcher = (listener: HealthListener) => void this.#healthListeners.add(listener);
  removeHealthStateWatcher = (listener: HealthListener) => void this.#healthListeners.delete(listener);
  startConnecting = () => this.state === connectivityState.IDLE && this.become(connectivityState.CONNECTING);
  throttleKeepalive = () => {};
  getChannelzRef = () => ({}) as ReturnType<Subchannel["getChannelzRef"]>;
  getRealSubchannel = () => this;
  realSubchannelEquals = (other: Subchannel) => other.getRealSubchannel() === (this as unknown);
  ref = () => {
    this.refs += 1;
  };
  unref = () => {
    this.refs -= 1;
  };
}

/** A call that was picked. */
export interface FakeCall {
  /** `host:port` of where it went. */
  readonly address: string;
  readonly result: PickResult;
  start(): void;
  end(status?: number, metadata?: Parameters<OnCallEnded>[2]): void;
}

/** A channel without a network, over one policy. The test sets the states of its connections. */
export class FakeChannel {
  /** One per requested address, as in grpc-js's subchannel pool. */
  readonly subchannels = new Map<string, FakeSubchannel>();
  /** All that the policy has published, in order. */
  readonly published: {
    readonly state: connectivityState;
    readonly picker: Picker;
    readonly message: string | null;
  }[] = [];
  reresolutions = 0;
  /** Called when the policy requests a resolution; it may answer at once. */
  onReresolution: () => void = () => {};
  /** Called with each state that the policy publishes; it may close the channel, as a state listener may. */
  onState: (state: connectivityState) => void = () => {};
  /** Called for each connection that the policy creates. */
  onSubchannel: (address: string, options: ChannelOptions) => void = () => {};
  readonly balancer: LoadBalancer;
  #config: ReturnType<typeof parsePolicy>;

  constructor(policy: PolicyJson) {
    this.#config = parsePolicy(policy);
    const helper: ChannelControlHelper = {
      createSubchannel: (address, options) => {
        const subchannel = this.#subchannel(address);
        this.onSubchannel(subchannel.address, options);
        return subchannel as unknown as Subchannel;
      },
      updateState: (state, picker, message) => {
        this.published.push({ state, picker, message });
        this.onState(state);
      },
      requestReresolution: () => {
        this.reresolutions += 1;
        this.onReresolution();
      },
      addChannelzChild: () => {},
      removeChannelzChild: () => {},
    };
    this.balancer = new ChildLoadBalancerHandler(helper);
  }

  get state(): connectivityState | undefined {
    return this.published.at(-1)?.state;
  }

  get message(): string | null | undefined {
    return this.published.at(-1)?.message;
  }

  /** Gives the policy endpoints, and optionally another configuration. */
  update(endpoints: readonly GrpcEndpoint[], policy?: PolicyJson, options: ChannelOptions = {}, note = ""): boolean {
    if (policy) this.#config = parsePolicy(policy);
    return this.balancer.updateAddressList(statusOrFromValue([...endpoints]), this.#config, options, note);
  }

  /** Gives the policy a resolver error. */
  fail(details: string, policy?: PolicyJson): boolean {
    if (policy) this.#config = parsePolicy(policy);
    return this.balancer.updateAddressList(statusOrFromError({ code: 14, details }), this.#config, {}, "");
  }

  /** Makes the connections to these addresses, or to all, READY. */
  connect(...addresses: readonly string[]): void {
    const wanted = addresses.length === 0 ? [...this.subchannels.keys()] : addresses;
    for (const address of wanted) this.at(address).become(connectivityState.READY);
  }

  at(address: string): FakeSubchannel {
    const subchannel = this.subchannels.get(address);
    if (!subchannel)
      throw new Error(`no subchannel to ${address}; existing ones: ${[...this.subchannels.keys()].join(", ")}`);
    return subchannel;
  }

  /** Picks for a call; undefined when the call waits or fails. */
  pick(metadata: Parameters<Picker["pick"]>[0]["metadata"]): FakeCall | undefined {
    const result = this.published.at(-1)?.picker.pick({ metadata, extraPickInfo: {} });
    if (result?.pickResultType !== PickResultType.COMPLETE) return undefined;
    const { address } = result.subchannel as unknown as FakeSubchannel;
    return {
      address,
      result,
      start: () => result.onCallStarted?.(),
      end: (status = 0, trailer = metadata) => result.onCallEnded?.(status, "", trailer),
    };
  }

  /** The error of a call that fails at once; undefined when it does not. */
  refusal(metadata: Parameters<Picker["pick"]>[0]["metadata"]): string | undefined {
    const result = this.published.at(-1)?.picker.pick({ metadata, extraPickInfo: {} });
    return result?.pickResultType === PickResultType.TRANSIENT_FAILURE ? result.status?.details : undefined;
  }

  /** The number of references to each connection; unreferenced ones are left out. */
  get held(): Record<string, number> {
    const held = [...this.subchannels.values()].filter(({ refs }) => refs !== 0);
    return Object.fromEntries(held.map(({ address, refs }) => [address, refs]));
  }

  #subchannel(address: GrpcEndpoint["addresses"][number]): FakeSubchannel {
    const key = "port" in address ? `${address.host}:${address.port}` : address.path;
    const known = this.subchannels.get(key);
    if (known) return known;
    const made = new FakeSubchannel(key);
    this.subchannels.set(key, made);
    return made;
  }
}

/** An endpoint as the resolver hands it on, with what discovery would attach. @param address such as `10.0.0.1:80` */
export function endpoint(
  address: string,
  info: Partial<{
    id: string;
    weight: number;
    zone: string;
    forZones: string[];
    metadata: Record<string, string>;
  }> = {},
): GrpcEndpoint {
  const split = address.lastIndexOf(":");
  const addresses = [{ host: address.slice(0, split), port: Number(address.slice(split + 1)) }];
  const discovered = {
    id: address,
    weight: 1,
    zone: undefined,
    forZones: [],
    nodeName: undefined,
    metadata: {},
    addresses,
    ...info,
  };
  return attachEndpoint({ addresses }, discovered);
}
