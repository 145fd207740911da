import { connectivityState, type Subchannel } from "../../grpc-js.ts";

type StateListener = Parameters<Subchannel["addConnectivityStateListener"]>[0];

/** What a watched subchannel tells of itself. */
export interface SubchannelWatcher {
  /** Somebody holds it now. */
  onHeld(subchannel: WatchedSubchannel): void;
  /** Its state; told before its own listeners are. */
  onState(subchannel: WatchedSubchannel, state: connectivityState): void;
  /** All its listeners were told of a state, or outlier_detection has taken it out or let it in. */
  onChanged(): void;
  /** Nobody holds it any more. */
  onReleased(subchannel: WatchedSubchannel): void;
}

/**
 * A subchannel whose state is known for as long as somebody holds it, and not longer: a subchannel that was given back may go
 * on in grpc-js's pool, for another channel. Pickers must hand out `inner`, by which the policy above knows it.
 */
export class WatchedSubchannel implements Subchannel {
  readonly inner: Subchannel;
  /** What was asked for to get it. */
  readonly address: string;
  readonly #watcher: SubchannelWatcher;
  readonly #listeners = new Set<StateListener>();
  #refs = 0;
  #isListening = false;

  constructor(inner: Subchannel, address: string, watcher: SubchannelWatcher) {
    this.inner = inner;
    this.address = address;
    this.#watcher = watcher;
  }

  ref(): void {
    this.inner.ref();
    this.#refs += 1;
    if (this.#refs > 1) return;
    this.#listenWhileNeeded();
    this.inner.addHealthStateWatcher(this.#onHealth);
    this.#watcher.onHeld(this);
  }

  unref(): void {
    this.#refs -= 1;
    if (this.#refs === 0) {
      this.#listenWhileNeeded();
      this.inner.removeHealthStateWatcher(this.#onHealth);
      this.#watcher.onReleased(this);
    }
    this.inner.unref(); // last, as it may tell listeners
  }

  addConnectivityStateListener(listener: StateListener): void {
    this.#listeners.add(listener);
    this.#listenWhileNeeded();
  }

  removeConnectivityStateListener(listener: StateListener): void {
    this.#listeners.delete(listener);
    this.#listenWhileNeeded();
  }

  /** Whether it is connected and not ejected. */
  get canTakeCalls(): boolean {
    return this.isReady && this.inner.isHealthy();
  }

  get isReady(): boolean {
    return this.inner.getConnectivityState() === connectivityState.READY;
  }

  realSubchannelEquals(other: Subchannel): boolean {
    return this.inner.realSubchannelEquals(other instanceof WatchedSubchannel ? other.inner : other);
  }

  getConnectivityState = (): connectivityState => this.inner.getConnectivityState();
  startConnecting = (): void => this.inner.startConnecting();
  getAddress = (): string => this.inner.getAddress();
  throttleKeepalive = (timeMs: number): void => this.inner.throttleKeepalive(timeMs);
  getChannelzRef = (): ReturnType<Subchannel["getChannelzRef"]> => this.inner.getChannelzRef();
  isHealthy = (): boolean => this.inner.isHealthy();
  addHealthStateWatcher: Subchannel["addHealthStateWatcher"] = (watcher) => this.inner.addHealthStateWatcher(watcher);
  removeHealthStateWatcher: Subchannel["removeHealthStateWatcher"] = (watcher) =>
    this.inner.removeHealthStateWatcher(watcher);
  addDataWatcher: Subchannel["addDataWatcher"] = (watcher) => this.inner.addDataWatcher(watcher);
  getRealSubchannel = (): ReturnType<Subchannel["getRealSubchannel"]> => this.inner.getRealSubchannel();
  getCallCredentials = (): ReturnType<Subchannel["getCallCredentials"]> => this.inner.getCallCredentials();
  getChannel = (): ReturnType<Subchannel["getChannel"]> => this.inner.getChannel();

  #listenWhileNeeded(): void {
    const isNeeded = this.#refs > 0 || this.#listeners.size > 0;
    if (isNeeded === this.#isListening) return;
    this.#isListening = isNeeded;
    if (isNeeded) this.inner.addConnectivityStateListener(this.#onState);
    else this.inner.removeConnectivityStateListener(this.#onState);
  }

  readonly #onState: StateListener = (_inner, was, state, keepaliveTimeMs, message) => {
    this.#watcher.onState(this, state);
    for (const listener of [...this.#listeners]) {
      if (this.#listeners.has(listener)) listener(this, was, state, keepaliveTimeMs, message);
    }
    this.#watcher.onChanged();
  };

  readonly #onHealth = (): void => this.#watcher.onChanged();
}
