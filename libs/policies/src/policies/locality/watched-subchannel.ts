import { connectivityState, type Subchannel } from "../../grpc-js.ts";

type StateListener = Parameters<Subchannel["addConnectivityStateListener"]>[0];

/** Receives the events of watched subchannels. */
export interface SubchannelWatcher {
  /** The first reference to it was taken. */
  onHeld(subchannel: WatchedSubchannel): void;
  /** It has a new state. Called before its own listeners. */
  onState(subchannel: WatchedSubchannel, state: connectivityState): void;
  /** All its listeners have received a new state, or outlier_detection has ejected it or taken it back. */
  onChanged(): void;
  /** The last reference to it was released. */
  onReleased(subchannel: WatchedSubchannel): void;
}

/**
 * A subchannel that reports its state while it is referenced, and not longer: a released subchannel may live on in grpc-js's pool
 * for another channel. Pickers must return `inner`, which the policy above knows.
 */
export class WatchedSubchannel implements Subchannel {
  readonly inner: Subchannel;
  /** The address it was created for. */
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
    this.inner.unref(); // last, because it may call listeners
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
