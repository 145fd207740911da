/** Measures one policy in a process of its own: `node picks-of.ts <policy> <endpoints>`; prints `Picks` as JSON. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { Metadata } from "@grpc/grpc-js";
import { OrcaLoadReport } from "@grpc-lb/protos/xds/data/orca/v3";
import type { PickArgs, Picker, PickResult } from "../src/grpc-js.ts";
import { registerPoliciesIn, registerPolicy } from "../src/registration/register.ts";
import { noWaits } from "../testing/no-waits.ts";
import { createEndpoints, createSessions, openChannel, orca, policyOf, registerReference } from "./cases.ts";
import { median } from "./table.ts";

/** What a pick costs: medians. */
export interface Picks {
  /** Nanoseconds of a pick alone. */
  readonly pickNs: number;
  /** Nanoseconds of pick, start and end together; null when the policy does not count calls. */
  readonly callNs: number | null;
  /** Bytes that a pick allocates, its result included. */
  readonly bytes: number;
}

/** Policies that pick without a decision: what is left is the result, of a policy that counts calls and of one that does not. */
const baselines = { bench_counted: true, bench_uncounted: false } as const;

/** As many as are in flight in the unary bench: picked in one turn of the event loop, in which counting policies keep them. */
const burst = 64;
const bursts = 15_000;
/** So short that most slices are not interrupted, neither by another process nor by a collection. */
const burstsInSlice = 10;

registerReference();
registerPoliciesIn(noWaits);
for (const [name, countsCalls] of Object.entries(baselines)) {
  registerPolicy({
    name,
    parseConfig: () => ({ panicThreshold: 0 }),
    createInstance: () => ({
      countsCalls,
      createEndpointState: () => undefined,
      createPicker:
        ({ ready }) =>
        () =>
          ready[0] as (typeof ready)[number],
    }),
  });
}

const [name = "", count = ""] = process.argv.slice(2);
const channel = openChannel(policyOf(name), createEndpoints(Number(count)));
const calls: PickArgs[] = createSessions(1_024).map((metadata) => ({ metadata, extraPickInfo: {} }));
const results: PickResult[] = new Array(burst).fill(undefined); // whoever keeps its results cannot have them optimized away
const trailer = new Metadata();
if (name === orca) {
  const load = { cpuUtilization: 0.4, rpsFractional: 100 };
  trailer.set(
    "endpoint-load-metrics-bin",
    Buffer.from(OrcaLoadReport.encode(OrcaLoadReport.fromPartial(load)).finish()),
  );
}
let first = 0;

function pickBurst(picker: Picker): void {
  for (let n = 0; n < burst; n++) results[n] = picker.pick(calls[(first + n) & 1_023] as PickArgs);
  first += burst;
}

function callBurst(picker: Picker): void {
  pickBurst(picker);
  for (const { onCallStarted } of results) onCallStarted?.();
  for (const { onCallEnded } of results) onCallEnded?.(0, "", trailer);
}

const picker = () => channel.published.at(-1)?.picker as Picker;

/** The median of what `measure` gives for each slice, by pick. */
async function repeat(measure: (picker: Picker) => number): Promise<number> {
  const means: number[] = [];
  for (let slice = 0; slice < bursts / burstsInSlice; slice++) {
    let sum = 0;
    for (let n = 0; n < burstsInSlice; n++) {
      sum += measure(picker());
      await nextTurn(); // counting policies give up what was picked
    }
    means.push(sum / burstsInSlice / burst);
  }
  return median(means);
}

const timed = (work: (picker: Picker) => void) => (picker: Picker) => {
  const began = performance.now();
  work(picker);
  return (performance.now() - began) * 1e6;
};

/** The heap that `work` takes, and asking for it. */
const weighed = (work: (picker: Picker) => void) => (picker: Picker) => {
  const before = process.memoryUsage().heapUsed;
  work(picker);
  return process.memoryUsage().heapUsed - before;
};

const countsCalls = picker().pick(calls[0] as PickArgs).onCallStarted !== null;
await nextTurn();
await repeat(timed(pickBurst)); // the compiler warms up
const pickNs = await repeat(timed(pickBurst));
const asking = weighed(() => {});
const bytes = (await repeat(weighed(pickBurst))) - (await repeat(asking));
await repeat(timed(callBurst));
const callNs = countsCalls ? await repeat(timed(callBurst)) : null;
process.stdout.write(JSON.stringify({ pickNs, callNs, bytes } satisfies Picks));
channel.balancer.destroy();
