import { channel } from "node:diagnostics_channel";
import type { DiscoveryError, Snapshot } from "@grpc-lb/discovery";

/** The names to subscribe to, `diagnostics_channel.subscribe(resolverChannels.snapshot, (message) => …)`, by what happens. */
export const resolverChannels = {
  /** `SnapshotMessage` */
  snapshot: "grpc-lb:resolver:snapshot",
  /** `ResolverErrorMessage` */
  error: "grpc-lb:resolver:error",
} as const;

/** A channel has received a snapshot of its source. */
export interface SnapshotMessage {
  /** The target as the user wrote it; the messages of policies contain the same text. */
  readonly target: string;
  readonly snapshot: Snapshot;
}

/** The source of a channel has an error that it did not have before. The endpoints may still be good: see the snapshot. */
export interface ResolverErrorMessage {
  /** The target as the user wrote it. */
  readonly target: string;
  readonly error: DiscoveryError;
}

const snapshots = channel(resolverChannels.snapshot);
const errors = channel(resolverChannels.error);

/**
 * Publishes a snapshot, and its error where that is news. Creates no message while nobody subscribes.
 *
 * @param before the snapshot before, if there was one
 */
export function publishSnapshot(target: string, snapshot: Snapshot, before: Snapshot | undefined): void {
  if (snapshots.hasSubscribers) snapshots.publish({ target, snapshot } satisfies SnapshotMessage);
  const { error } = snapshot;
  if (!error || !errors.hasSubscribers || error.message === before?.error?.message) return;
  errors.publish({ target, error } satisfies ResolverErrorMessage);
}
