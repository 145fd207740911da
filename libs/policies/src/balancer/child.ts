import { type ChannelOptions, Metadata } from "@grpc/grpc-js";
import { type EndpointFacts, hasSameAddresses, readEndpoint } from "./endpoint-info.ts";
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

/** How a child was before it changed. */
export interface ChildBefore {
  readonly state: connectivityState;
  /** The connection that calls went to. */
  readonly connected: Subchannel | undefined;
}

/** What a child tells the balancer that it belongs to; nothing any more once it is destroyed. */
export interface ChildOwner {
  onChildState(child: Child, was: ChildBefore, message: string | null): void;
  requestReresolution(): void;
}

/** A READY leaf picks its one connection, whatever is asked. */
const anyCall: PickArgs = { metadata: new Metadata(), extraPickInfo: {} };

/** One endpoint of a balancer: its connection, and what its policy remembers of it. */
export class Child<Load = unknown> {
  readonly load: Load;
  /** Its place among the balancer's children, from 0. */
  index = 0;
  /** Calls that were picked for it and have not ended. */
  inFlight = 0;
  /** Since when calls are under way and none of them has ended, in the clock's milliseconds. */
  quietSinceMs = 0;
  /** When it last became READY, in the clock's milliseconds; undefined while it is not. */
  readyAtMs: number | undefined;
  #facts: EndpointFacts;
  #endpoint: GrpcEndpoint;
  #options: ChannelOptions;
  #subchannels: Subchannel[] = [];
  /** The connection that the leaf holds: where calls go while it is READY, and what is ejected while it is not. */
  #picked: Subchannel | undefined;
  /** While the leaf is given a list it may take another connection of those that there are. */
  #isRelisting = false;
  readonly #leaf: InstanceType<typeof LeafLoadBalancer>;
  #isDestroyed = false;
  #state = connectivityState.IDLE;

  constructor(
    endpoint: GrpcEndpoint,
    load: Load,
    owner: ChildOwner,
    helper: ChannelControlHelper,
    options: ChannelOptions,
    note: string,
  ) {
    this.load = load;
    this.#endpoint = endpoint;
    this.#facts = readEndpoint(endpoint);
    this.#options = options;
    const childHelper = createChildChannelControlHelper(helper, {
      createSubchannel: (address, args) => {
        const subchannel = helper.createSubchannel(address, args);
        // The leaf makes one for each address, and does so again when it begins anew.
        this.#subchannels = [...this.#subchannels, subchannel].slice(-this.#endpoint.addresses.length);
        return subchannel;
      },
      updateState: (state, picker, message) => {
        if (this.#isDestroyed) return;
        const was = { state: this.#state, connected: this.isReady ? this.#picked : undefined };
        this.#state = state;
        if (state === connectivityState.READY) this.#picked = picker.pick(anyCall).subchannel ?? undefined;
        else this.#picked = state === connectivityState.TRANSIENT_FAILURE ? this.#findEjected() : undefined;
        owner.onChildState(this as Child, was, message);
      },
      // The leaf's timer outlives it, and would ask when it fires.
      requestReresolution: () => this.#isDestroyed || owner.requestReresolution(),
    });
    this.#leaf = new LeafLoadBalancer(endpoint, childHelper, options, note);
  }

  get facts(): EndpointFacts {
    return this.#facts;
  }

  get state(): connectivityState {
    return this.#state;
  }

  get isReady(): boolean {
    return this.#state === connectivityState.READY;
  }

  /** The connection, when there is one, whether or not outlier_detection lets calls go there. */
  get connected(): Subchannel | undefined {
    return this.isReady || isConnected(this.#picked) ? this.#picked : undefined;
  }

  connect(): void {
    if (this.#state === connectivityState.IDLE) this.#leaf.exitIdle();
  }

  start(): void {
    this.#leaf.startConnecting();
  }

  /** A connection to an address that stays is kept. */
  update(endpoint: GrpcEndpoint, options: ChannelOptions): void {
    const hasMoved = !hasSameAddresses(endpoint, this.#endpoint);
    const hasChanged = hasMoved || !isSame(options, this.#options);
    this.#endpoint = endpoint;
    this.#facts = hasMoved ? readEndpoint(endpoint) : readEndpoint(endpoint, this.#facts.address);
    this.#options = options;
    if (!hasChanged) return;
    this.#isRelisting = true;
    this.#leaf.updateEndpoint(endpoint, options);
    this.#isRelisting = false;
  }

  /**
   * The leaf does not tell which connection it holds while that is ejected: the one that it had, or the first that it could
   * take. Not just any of them, as an address that it does not use may have a connection of another channel.
   */
  #findEjected(): Subchannel | undefined {
    const connected = this.#subchannels.filter(isConnected);
    const had = this.#picked;
    if (had && connected.includes(had) && !this.#isRelisting) return had;
    return connected[0] ?? (isConnected(had) ? had : undefined);
  }

  /** Sends a call there: as the connection has it, or past outlier_detection, which has taken it out. */
  pick(args: PickArgs): PickResult {
    if (this.isReady) return this.#leaf.getPicker().pick(args);
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

  /** Gives the connection back. Calls under way go on to their end. */
  destroy(): void {
    this.#isDestroyed = true;
    this.#subchannels = [];
    this.#picked = undefined;
    this.#leaf.destroy();
  }
}

const isConnected = (subchannel: Subchannel | undefined): boolean =>
  subchannel?.getConnectivityState() === connectivityState.READY;

function isSame(a: ChannelOptions, b: ChannelOptions): boolean {
  if (a === b) return true;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
