import { type ChannelOptions, Metadata } from "@grpc/grpc-js";
import {
  type ChannelControlHelper,
  connectivityState,
  createChildChannelControlHelper,
  type GrpcEndpoint,
  LeafLoadBalancer,
  type PickArgs,
  type PickResult,
  PickResultType,
  type Subchannel,
} from "../grpc-js.ts";
import { type EndpointInfo, hasSameAddresses, readEndpointInfo } from "./endpoint-info.ts";
import type { EndpointRecord } from "./endpoint-record.ts";

/** The state of a child before a change. */
export interface PreviousChildState {
  readonly state: connectivityState;
  /** The connection that calls went to. */
  readonly connected: Subchannel | undefined;
  /** Whether it had a connection, also an ejected one. */
  readonly isOpen: boolean;
  readonly isEjected: boolean;
}

/** The balancer that a child belongs to. A destroyed child does not call it. */
export interface ChildOwner<EndpointState> {
  onChildState(child: Child<EndpointState>, previous: PreviousChildState, message: string | null): void;
  requestReresolution(): void;
}

/** A leaf that is READY picks its one connection for every call. */
const anyCall: PickArgs = { metadata: new Metadata(), extraPickInfo: {} };

/** One endpoint of a balancer: its connection, and the policy's state of it. */
export class Child<EndpointState = unknown> {
  /**
   * What the channel remembers of the endpoint.
   *
   * @internal
   */
  readonly record: EndpointRecord<EndpointState>;
  /** Its place among the balancer's children, from 0. */
  index = 0;
  /**
   * Since when it has been READY, in the clock's milliseconds; undefined while it is not READY. An interruption of less than
   * `memoryMs` does not count.
   */
  readyAtMs: number | undefined;
  #info: EndpointInfo;
  #endpoint: GrpcEndpoint;
  #options: ChannelOptions;
  #subchannels: Subchannel[] = [];
  /** The connection that the leaf holds: where calls go while it is READY, and the ejected one while it is not. */
  #picked: Subchannel | undefined;
  /** The pick result of every call while the leaf is READY: kept, so that a pick does not allocate one. */
  #result: PickResult | undefined;
  /** While the leaf takes a new list of addresses it may choose another of the existing connections. */
  #isRelisting = false;
  readonly #leaf: InstanceType<typeof LeafLoadBalancer>;
  readonly #destruction = new AbortController();
  #isOpen = false;
  #wasEjected = false;
  #state = connectivityState.IDLE;

  constructor(
    endpoint: GrpcEndpoint,
    record: EndpointRecord<EndpointState>,
    owner: ChildOwner<EndpointState>,
    helper: ChannelControlHelper,
    options: ChannelOptions,
    note: string,
  ) {
    this.record = record;
    this.#endpoint = endpoint;
    this.#info = readEndpointInfo(endpoint);
    this.#options = options;
    const childHelper = createChildChannelControlHelper(helper, {
      createSubchannel: (address, args) => {
        const subchannel = helper.createSubchannel(address, args);
        // The leaf creates one for each address, and all of them again when it restarts.
        this.#subchannels = [...this.#subchannels, subchannel].slice(-this.#endpoint.addresses.length);
        return subchannel;
      },
      updateState: (state, picker, message) => {
        if (this.signal.aborted) return;
        const connected = this.isReady ? this.#picked : undefined;
        const previous = { state: this.#state, connected, isOpen: this.#isOpen, isEjected: this.#wasEjected };
        this.#state = state;
        this.#result = state === connectivityState.READY ? picker.pick(anyCall) : undefined;
        if (this.#result) this.#picked = this.#result.subchannel ?? undefined;
        else this.#picked = state === connectivityState.TRANSIENT_FAILURE ? this.#findEjected() : undefined;
        this.#isOpen = this.connected !== undefined;
        this.#wasEjected = this.isEjected;
        owner.onChildState(this, previous, message);
      },
      // The leaf's timer outlives the leaf, and requests a resolution when it fires.
      requestReresolution: () => this.signal.aborted || owner.requestReresolution(),
    });
    this.#leaf = new LeafLoadBalancer(endpoint, childHelper, options, note);
  }

  /** Aborted when the child is destroyed. */
  get signal(): AbortSignal {
    return this.#destruction.signal;
  }

  get endpointState(): EndpointState {
    return this.record.state;
  }

  /** Calls that were picked for it and have not ended; also while it was out of the list. */
  get inFlight(): number {
    return this.record.inFlight;
  }

  /** Since when calls are in flight without one of them ending, in the clock's milliseconds. */
  get silentSinceMs(): number {
    return this.record.silentSinceMs;
  }

  get info(): EndpointInfo {
    return this.#info;
  }

  get state(): connectivityState {
    return this.#state;
  }

  get isReady(): boolean {
    return this.#state === connectivityState.READY;
  }

  /** Whether it has a connection to which outlier_detection lets no calls go. */
  get isEjected(): boolean {
    return !this.isReady && isConnected(this.#picked);
  }

  /** The connection, if there is one; also while it is ejected. */
  get connected(): Subchannel | undefined {
    return this.isReady || isConnected(this.#picked) ? this.#picked : undefined;
  }

  /** Connects, if it is idle. */
  connect(): void {
    if (this.#state === connectivityState.IDLE) this.#leaf.exitIdle();
  }

  /** Begins to connect. The balancer calls it once. */
  start(): void {
    this.#leaf.startConnecting();
  }

  /** Takes new addresses, weights or metadata. The connection to an address that stays is kept. */
  update(endpoint: GrpcEndpoint, options: ChannelOptions): void {
    const hasMoved = !hasSameAddresses(endpoint, this.#endpoint);
    const hasChanged = hasMoved || !isSame(options, this.#options);
    this.#endpoint = endpoint;
    this.#info = hasMoved ? readEndpointInfo(endpoint) : readEndpointInfo(endpoint, this.#info.address);
    this.#options = options;
    if (!hasChanged) return;
    this.#isRelisting = true;
    this.#leaf.updateEndpoint(endpoint, options);
    this.#isRelisting = false;
  }

  /**
   * The leaf does not report which connection it holds while that one is ejected: it is the one that it had, or the first that
   * it could choose. Not any connected one: another channel may be connected to an address that this leaf does not use.
   */
  #findEjected(): Subchannel | undefined {
    const connected = this.#subchannels.filter(isConnected);
    const had = this.#picked;
    if (had && connected.includes(had) && !this.#isRelisting) return had;
    return connected[0] ?? (isConnected(had) ? had : undefined);
  }

  /** The pick result of a call to this endpoint; while the endpoint is ejected, past outlier_detection. */
  pick(args: PickArgs): PickResult {
    if (this.#result) return this.#result;
    const subchannel = this.connected;
    if (!subchannel) return this.#leaf.getPicker().pick(args);
    return {
      pickResultType: PickResultType.COMPLETE,
      subchannel,
      status: null,
      onCallStarted: null,
      onCallEnded: null,
    };
  }

  /** Releases the connection. Calls in flight continue to their end. */
  destroy(): void {
    this.#destruction.abort();
    this.#subchannels = [];
    this.#picked = undefined;
    this.#result = undefined;
    this.#leaf.destroy();
  }
}

/** Whether calls to both go over the same connection: outlier_detection and grpc-js-xds may put a new object around it at each update. */
export const isSameConnection = (a: Subchannel | undefined, b: Subchannel | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && a.realSubchannelEquals(b));

const isConnected = (subchannel: Subchannel | undefined): boolean =>
  subchannel?.getConnectivityState() === connectivityState.READY;

function isSame(a: ChannelOptions, b: ChannelOptions): boolean {
  if (a === b) return true;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
