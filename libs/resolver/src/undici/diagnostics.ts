import { channel } from "node:diagnostics_channel";
import { type DiscoveryError, type Endpoint, formatAddress, type Snapshot } from "@grpc-lb/discovery";

/** The names to subscribe to, `diagnostics_channel.subscribe(dispatcherChannels.pick, (message) => …)`, by what happens. */
export const dispatcherChannels = {
  /** `DispatcherPickMessage` */
  pick: "grpc-lb:dispatcher:pick",
  /** `DispatcherConnectionMessage` */
  connection: "grpc-lb:dispatcher:connection",
  /** `DispatcherSnapshotMessage` */
  snapshot: "grpc-lb:dispatcher:snapshot",
  /** `DispatcherErrorMessage` */
  error: "grpc-lb:dispatcher:error",
  /** `DispatcherEndMessage` */
  end: "grpc-lb:dispatcher:end",
} as const;

/** What all messages say. */
interface DispatcherMessage {
  /** The target as the user wrote it; undefined for a source that was not made of a target. */
  readonly target: string | undefined;
}

/** A request goes to an endpoint. One that could not connect there is published again, with the next endpoint. */
export interface DispatcherPickMessage extends DispatcherMessage {
  readonly endpoint: Endpoint;
}

/** A connection was opened or closed. Those that the end of the dispatcher closes are not published. */
export interface DispatcherConnectionMessage extends DispatcherMessage {
  /** `host:port`; IPv6 in brackets. */
  readonly address: string;
  /** Whose address that is now; undefined once it has left the source. */
  readonly endpoint: Endpoint | undefined;
  readonly isOpen: boolean;
}

/** The dispatcher has received a snapshot of its source. */
export interface DispatcherSnapshotMessage extends DispatcherMessage {
  /** Identifies the dispatcher, until its `DispatcherEndMessage`: several may have the same target. */
  readonly instance: symbol;
  readonly snapshot: Snapshot;
}

/** The source has an error that it did not have before. The endpoints may still be good: see the snapshot. */
export interface DispatcherErrorMessage extends DispatcherMessage {
  readonly error: DiscoveryError;
}

/** The dispatcher was closed or destroyed; requests in flight may still end. */
export interface DispatcherEndMessage extends DispatcherMessage {
  readonly instance: symbol;
}

const picks = channel(dispatcherChannels.pick);
const connections = channel(dispatcherChannels.connection);
const snapshots = channel(dispatcherChannels.snapshot);
const errors = channel(dispatcherChannels.error);
const ends = channel(dispatcherChannels.end);

/** Publishes what happens to one dispatcher. Creates no message while nobody subscribes. */
export class DispatcherDiagnostics {
  readonly #target: string | undefined;
  readonly #instance = Symbol();

  constructor(target: string | undefined) {
    this.#target = target;
  }

  publishPick(endpoint: Endpoint): void {
    if (picks.hasSubscribers) picks.publish({ target: this.#target, endpoint } satisfies DispatcherPickMessage);
  }

  /** @param endpoints those that there are now */
  publishConnection(origin: URL, isOpen: boolean, endpoints: readonly Endpoint[]): void {
    if (!connections.hasSubscribers) return;
    const port = origin.port || (origin.protocol === "https:" ? 443 : 80);
    const address = `${origin.hostname}:${port}`;
    const endpoint = endpoints.find(({ addresses: [first] }) => first && formatAddress(first) === address);
    connections.publish({ target: this.#target, address, endpoint, isOpen } satisfies DispatcherConnectionMessage);
  }

  /** @param before the snapshot before, if there was one */
  publishSnapshot(snapshot: Snapshot, before: Snapshot | undefined): void {
    const [target, instance] = [this.#target, this.#instance];
    if (snapshots.hasSubscribers) snapshots.publish({ target, instance, snapshot } satisfies DispatcherSnapshotMessage);
    const { error } = snapshot;
    if (!error || !errors.hasSubscribers || error.message === before?.error?.message) return;
    errors.publish({ target, error } satisfies DispatcherErrorMessage);
  }

  publishEnd(): void {
    if (!ends.hasSubscribers) return;
    ends.publish({ target: this.#target, instance: this.#instance } satisfies DispatcherEndMessage);
  }
}
