import type { Child } from "../../balancer/child.ts";
import type { EndpointRecord } from "../../balancer/endpoint-record.ts";
import { type CountConfig, type Policy, parseCountConfig } from "../../balancer/policy.ts";
import { currentWeights, parseWeightConfig, type WeightConfig } from "../weights/weights.ts";
import { defaultTableSize, largerThan } from "./maglev.ts";
import { MaglevTable } from "./maglev-table.ts";
import { createRequestHash, type KeyConfig, parseKeyConfig } from "./request-key.ts";
import { TableCache } from "./table-cache.ts";

export interface SourceHashConfig extends CountConfig, WeightConfig, KeyConfig {
  /**
   * An endpoint may have this many times its share (by weight) of the calls in flight; beyond that the key's calls go to the next
   * endpoint. 0 for no bound. Default: 1.25.
   */
  readonly balanceFactor: number;
}

/** In calls: shares such as 1/3 are not exact, and 3 of them must not make room for one more call. */
const roundingError = 1e-9;

/**
 * `source_hash`: a client stays with one endpoint, chosen by the client's own key (the pod's uid, the host's name or the address) or
 * by a header of the call. When that endpoint has too many of the client's calls in flight, further calls go to the next one
 * (Mirrokni et al., "Consistent Hashing with Bounded Loads", 2016). A single call always stays.
 */
export const sourceHash: Policy<SourceHashConfig, undefined> = {
  name: "source_hash",
  parseConfig: (fields) => {
    const balanceFactor = fields.number("balanceFactor", 1.25, { min: 0 });
    if (balanceFactor > 0 && balanceFactor < 1) {
      throw new RangeError(`balanceFactor must be 0 or >= 1, got ${balanceFactor}`);
    }
    return {
      balanceFactor,
      ...parseKeyConfig(fields, "pod_uid"),
      ...parseCountConfig(fields),
      ...parseWeightConfig(fields, { hasSlowStart: false }),
    };
  },
  createInstance: ({ random }) => {
    const tables = new TableCache(
      (members, _config: SourceHashConfig) => new MaglevTable(members, largerThan(members.length, defaultTableSize)),
    );
    /** The records of all endpoints that may have calls in flight, including those that have left. */
    let carriers: readonly EndpointRecord<undefined>[] = [];
    return {
      countsCalls: true,
      longCallAfterMs: ({ longCallAfterMs }) => longCallAfterMs,
      createEndpointState: () => undefined,
      createPicker: ({ children, ready, config, calls, nowMs }) => {
        const hashOf = createRequestHash(config, random);
        const { balanceFactor } = config;
        // Each child's bound as a fraction of all calls; 0 for a child that is not ready.
        const bounds = new Float64Array(children.length);
        const weights = currentWeights(ready, config, nowMs);
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        for (const [i, { index }] of ready.entries()) {
          bounds[index] =
            balanceFactor === 0 ? Number.POSITIVE_INFINITY : (balanceFactor * (weights[i] as number)) / total;
        }
        const records = children.map(({ record }) => record);
        const elsewhere = new Set([...carriers, ...records]);
        for (const { record } of ready) elsewhere.delete(record);
        for (const record of elsewhere) if (record.inFlight === 0) elsewhere.delete(record);
        carriers = [...elsewhere, ...records];
        let inFlight = 0;
        // An integer is below the bound rounded up exactly when it is below the bound.
        const accepts = (index: number) =>
          (children[index] as Child<undefined>).inFlight < (bounds[index] as number) * (inFlight + 1) - roundingError;
        let table: MaglevTable | undefined;
        return (args, avoided) => {
          table ??= tables.get(children, ready, config);
          inFlight = calls.inFlight - (elsewhere.size === 0 ? 0 : inFlightOf(elsewhere));
          const acceptsCall = avoided ? excluding(accepts, children, avoided) : accepts;
          return (children[table.chooseWith(hashOf(args), acceptsCall)] ?? ready[0]) as Child<undefined>;
        };
      },
    };
  },
};

/** Not inline: a closure over a parameter of the pick would cost every pick an allocation. */
function excluding(
  accepts: (index: number) => boolean,
  children: readonly Child<undefined>[],
  avoided: ReadonlySet<Child<undefined>>,
): (index: number) => boolean {
  return (index) => !avoided.has(children[index] as Child<undefined>) && accepts(index);
}

/** The calls in flight on endpoints that take no new ones: they make no room for new calls. Removes endpoints without calls. */
function inFlightOf(elsewhere: Set<EndpointRecord<undefined>>): number {
  let sum = 0;
  for (const record of elsewhere) {
    if (record.inFlight === 0) elsewhere.delete(record);
    sum += record.inFlight;
  }
  return sum;
}
