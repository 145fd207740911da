import type { SnapshotMessage, SubscriptionEndMessage } from "./balancing-messages.ts";
import { maxInactive } from "./policy-states.ts";

/** What is known of a target's endpoints. */
interface SnapshotState {
  /** The channels and dispatchers that use it. */
  readonly instances: Set<symbol>;
  readonly lastSyncMs: number;
  readonly isStale: boolean;
}

/** How old the snapshots are that channels and dispatchers use. */
export class SnapshotAges {
  readonly #active = new Map<string, SnapshotState>();
  /** The targets that no channel or dispatcher uses any more, longest first. */
  readonly #inactive = new Set<string>();

  update({ target, instance, snapshot }: SnapshotMessage, nowMs: number): void {
    const name = target ?? snapshot.subject;
    this.#inactive.delete(name);
    const before = this.#active.get(name);
    const instances = before?.instances ?? new Set();
    instances.add(instance);
    const lastSyncMs = snapshot.lastSyncMs ?? before?.lastSyncMs ?? nowMs;
    this.#active.set(name, { instances, lastSyncMs, isStale: snapshot.error !== undefined });
  }

  end({ instance }: SubscriptionEndMessage): void {
    for (const [name, { instances }] of this.#active) {
      if (!instances.delete(instance) || instances.size > 0) continue;
      this.#active.delete(name);
      this.#inactive.add(name);
    }
    const [oldest] = this.#inactive;
    if (oldest !== undefined && this.#inactive.size > maxInactive) this.#inactive.delete(oldest);
  }

  /** For how long each source has not heard from its server, in seconds; 0 while it does, and without a channel. */
  *seconds(nowMs: number): Iterable<readonly [target: string, seconds: number]> {
    for (const [name, { isStale, lastSyncMs }] of this.#active) {
      yield [name, isStale ? (nowMs - lastSyncMs) / 1_000 : 0];
    }
    for (const name of this.#inactive) yield [name, 0];
  }
}
