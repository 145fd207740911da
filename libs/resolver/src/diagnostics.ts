import { channel } from "node:diagnostics_channel";
import type { DiscoveryError, Snapshot } from "@grpc-lb/discovery";

/** The names to subscribe to, `diagnostics_channel.subscribe(resolverChannels.snapshot, (message) => …)`, by what happens. */
export const resolverChannels = {
  /** `SnapshotMessage` */
  snapshot: "grpc-lb:resolver:snapshot",
  /** `ResolverErrorMessage` */
  error: "grpc-lb:resolver:error",
  /** `ResolverEndMessage` */
  end: "grpc-lb:resolver:end",
} as const;

/** A channel has received a snapshot of its source. */
export interface SnapshotMessage {
  /** The target as the user wrote it; the messages of policies contain the same text. */
  readonly target: string;
  /** Identifies the channel's subscription, until its `ResolverEndMessage`: several channels may have the same target. */
  readonly instance: symbol;
  readonly snapshot: Snapshot;
}

/** A channel has ended its subscription, because it was closed or became idle. When it leaves idleness it has a new one. */
export interface ResolverEndMessage {
  /** The target as the user wrote it. */
  readonly target: string;
  readonly instance: symbol;
}

/** The source of a channel has an error that it did not have before. The endpoints may still be good: see the snapshot. */
export interface ResolverErrorMessage {
  /** The target as the user wrote it. */
  readonly target: string;
  readonly error: DiscoveryError;
}

const snapshots = channel(resolverChannels.snapshot);
const errors = channel(resolverChannels.error);
const ends = channel(resolverChannels.end);

/** Publishes what happens to one subscription of a channel. Creates no message while nobody subscribes. */
export class ResolverDiagnostics {
  readonly #target: string;
  readonly #instance = Symbol();

  constructor(target: string) {
    this.#target = target;
  }

  /**
   * Publishes a snapshot, and its error where that is news.
   *
   * @param before the snapshot before, if there was one
   */
  publishSnapshot(snapshot: Snapshot, before: Snapshot | undefined): void {
    const [target, instance] = [this.#target, this.#instance];
    if (snapshots.hasSubscribers) snapshots.publish({ target, instance, snapshot } satisfies SnapshotMessage);
    const { error } = snapshot;
    if (!error || !errors.hasSubscribers || error.message === before?.error?.message) return;
    errors.publish({ target, error } satisfies ResolverErrorMessage);
  }

  publishEnd(): void {
    if (!ends.hasSubscribers) return;
    ends.publish({ target: this.#target, instance: this.#instance } satisfies ResolverEndMessage);
  }
}
