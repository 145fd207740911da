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

/** A connection that does what the test says. */
export class FakeSubchannel {
  readonly address: string;
  state = connectivityState.IDLE;
  /** How many hold it: 0 when all have given it back. */
  refs = 0;
  #isHealthy = true;
  readonly #listeners = new Set<Listener>();
  readonly #healthListeners = new Set<HealthListener>();

  constructor(address: string) {
    this.address = address;
  }

  /** The connection gets another state. */
  become(state: connectivityState, message?: string): void {
    const was = this.state;
    this.state = state;
    for (const listener of [...this.#listeners]) listener(this as unknown as Subchannel, was, state, -1, message);
  }

  /** outlier_detection takes it out, or lets it in again. */
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

/** A call that a picker took. */
export interface FakeCall {
  /** `host:port` of where it went. */
  readonly address: string;
  readonly result: PickResult;
  start(): void;
  end(status?: number, metadata?: Parameters<OnCallEnded>[2]): void;
}

/** A channel without a network, over one policy: its connections do what the test says. */
export class FakeChannel {
  /** One for each address that was ever asked for, as the subchannel pool of grpc-js has them. */
  readonly subchannels = new Map<string, FakeSubchannel>();
  /** What the policy has published, in order. */
  readonly published: {
    readonly state: connectivityState;
    readonly picker: Picker;
    readonly message: string | null;
  }[] = [];
  reresolutions = 0;
  /** What the resolver does when it is asked to look again; it may answer at once. */
  onReresolution: () => void = () => {};
  /** Told of each state that the policy publishes, as somebody who watches the channel's: it may close the channel. */
  onState: (state: connectivityState) => void = () => {};
  /** Told of each connection that the policy asks for. */
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

  /** Gives the policy endpoints, and perhaps another configuration. */
  update(endpoints: readonly GrpcEndpoint[], policy?: PolicyJson, options: ChannelOptions = {}, note = ""): boolean {
    if (policy) this.#config = parsePolicy(policy);
    return this.balancer.updateAddressList(statusOrFromValue([...endpoints]), this.#config, options, note);
  }

  /** Gives the policy an error of the resolver. */
  fail(details: string, policy?: PolicyJson): boolean {
    if (policy) this.#config = parsePolicy(policy);
    return this.balancer.updateAddressList(statusOrFromError({ code: 14, details }), this.#config, {}, "");
  }

  /** Lets the connections to these addresses, or to all, become READY. */
  connect(...addresses: readonly string[]): void {
    const wanted = addresses.length === 0 ? [...this.subchannels.keys()] : addresses;
    for (const address of wanted) this.at(address).become(connectivityState.READY);
  }

  at(address: string): FakeSubchannel {
    const subchannel = this.subchannels.get(address);
    if (!subchannel)
      throw new Error(`no subchannel to ${address}; there are ${[...this.subchannels.keys()].join(", ")}`);
    return subchannel;
  }

  /** Picks for a call; undefined when it has to wait or fails. */
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

  /** Why a call fails at once; undefined when it does not. */
  refusal(metadata: Parameters<Picker["pick"]>[0]["metadata"]): string | undefined {
    const result = this.published.at(-1)?.picker.pick({ metadata, extraPickInfo: {} });
    return result?.pickResultType === PickResultType.TRANSIENT_FAILURE ? result.status?.details : undefined;
  }

  /** How many hold each connection; those that nobody holds are left out. */
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

/** An endpoint as the resolver hands it on: `10.0.0.1:80`, with what discovery would know of it. */
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
