import { type Clock, systemClock } from "@grpc-lb/core";
import { formatAddress } from "../core/address.ts";
import { endable } from "../core/endable.ts";
import { Latest } from "../core/latest.ts";
import type { Address, Endpoint, Snapshot, Source } from "../core/snapshot.ts";
import { SourceCounts } from "../core/source-counts.ts";
import type { SourceStats } from "../core/source-stats.ts";
import { isWeight, maxWeight } from "../core/weight.ts";

/** Which endpoints there are. */
export interface StaticSourceOptions {
  /** Each address once; a weight is a number from 0 to 2^32 - 1, 1 unless given. */
  readonly endpoints: readonly { readonly address: Address; readonly weight?: number }[];
  /** Whether a watch that is read does not keep the process alive by itself. Default: false. */
  readonly background?: boolean;
  readonly clock?: Clock;
}

/** A source of endpoints that never change. */
export interface StaticSource extends Source {
  /** `watches`: how often it was read; `lists` and `errors` stay 0. */
  readonly stats: SourceStats;
}

/**
 * A source of endpoints that never change: one snapshot, in the order given, and then nothing until the reader leaves.
 *
 * @throws RangeError for an address that stands twice, and for a weight that is none
 */
export function createStaticSource(options: StaticSourceOptions): StaticSource {
  const { clock = systemClock, background = false } = options;
  const endpoints = options.endpoints.map(({ address, weight = 1 }) => toEndpoint(address, weight));
  const ids = endpoints.map(({ id }) => id);
  const twice = ids.find((id, n) => ids.indexOf(id) < n);
  if (twice !== undefined) throw new RangeError(`endpoints must have each address once, got ${twice} twice`);
  const subject = `static ${ids.join(",")}`;
  const counts = new SourceCounts(clock);

  async function* read(signal: AbortSignal): AsyncGenerator<Snapshot, void, void> {
    const latest = new Latest<Snapshot>();
    counts.watches += 1;
    counts.heard();
    latest.set({ subject, endpoints, lastSyncMs: clock.now(), error: undefined, serviceConfig: undefined });
    yield* latest.read(signal);
  }
  return {
    subject,
    watch: (signal) => endable(read, signal, background),
    get stats() {
      return counts.stats;
    },
  };
}

function toEndpoint(address: Address, weight: number): Endpoint {
  const id = formatAddress(address);
  if (!isWeight(weight))
    throw new RangeError(`the weight of ${id} must be a number from 0 to ${maxWeight}, got ${weight}`);
  return { id, addresses: [address], weight, zone: undefined, forZones: [], nodeName: undefined, metadata: {} };
}
