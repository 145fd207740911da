import { join } from "node:path";
import { type Clock, createRandom, formatDuration } from "@grpc-lb/core";
import { within } from "../processes/deadline.ts";
import { ProcessGroup } from "../processes/process-group.ts";
import { createStop, type Stop } from "../processes/stop.ts";
import { Fleet, type FleetServer } from "./fleet.ts";
import { connectedLine, type Measured, parseMeasured } from "./load/protocol.ts";
import type { PoliciesPlan } from "./plan.ts";
import { serviceConfigOf } from "./service-config.ts";

/** Receives the events of a run: the servers, then for each policy its start and its measurement. */
export interface ComparisonObserver {
  /** All servers serve. */
  onServing(servers: readonly FleetServer[]): void;
  /** The measurement of a policy starts. */
  onPolicy(policy: string): void;
  onMeasured(policy: string, measured: Measured): void;
}

/** Options of a run. */
export interface ComparisonOptions {
  readonly plan: PoliciesPlan;
  readonly observer: ComparisonObserver;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const loadMain = join(import.meta.dirname, "load/main.ts");
/** The time to start, to connect and to end, in addition to the time of the calls. */
const spareMs = 20_000;

/**
 * Measures the policies of a plan one after the other on the same servers, each with its own client process. Settles only when
 * the last process has exited.
 *
 * @throws ProgramError when a process does not start or exits early (exit code 1), or when `signal` is aborted (exit code 130,
 * for SIGTERM 143)
 */
export async function runComparison({ plan, observer, clock, signal }: ComparisonOptions): Promise<void> {
  const group = new ProcessGroup();
  const stop = createStop(signal, group, "stopped before the end, so there is no comparison");
  let fleet: Fleet | undefined;
  try {
    fleet = await stop.unlessStopped(Fleet.start(group, clock, stop.aborted));
    observer.onServing(fleet.servers);
    for (const policy of plan.policies) {
      observer.onPolicy(policy);
      observer.onMeasured(policy, await measurePolicy(policy, { plan, fleet, group, stop, clock }));
    }
  } finally {
    stop.close();
    fleet?.thaw(); // a frozen process ignores SIGTERM
    await group.close();
  }
}

interface MeasurementContext {
  readonly plan: PoliciesPlan;
  readonly fleet: Fleet;
  readonly group: ProcessGroup;
  readonly stop: Stop;
  readonly clock: Clock;
}

async function measurePolicy(
  policy: string,
  { plan, fleet, group, stop, clock }: MeasurementContext,
): Promise<Measured> {
  const result = Promise.withResolvers<Measured>();
  const { rateHz, warmUpMs, durationMs, deadlineMs, seed } = plan;
  const name = `the load under ${policy}`;
  const args = Object.entries({
    "--target": fleet.target(createRandom(seed)),
    "--service-config": JSON.stringify(serviceConfigOf(policy, plan.hasOutlierDetection)),
    "--rate": String(rateHz),
    "--warm-up": formatDuration(warmUpMs),
    "--duration": formatDuration(durationMs),
    "--deadline": formatDuration(deadlineMs),
    "--seed": String(seed),
  }).flat();
  group.start({
    name,
    main: loadMain,
    args,
    onStdout(line) {
      // Freeze only now: a connection to a frozen server never becomes ready.
      if (line === connectedLine && !stop.aborted.aborted) fleet.freeze();
      const measured = parseMeasured(line);
      if (measured) result.resolve(measured);
    },
  });
  const ms = warmUpMs + durationMs + deadlineMs + spareMs;
  const describe = () => `${name} did not end within ${formatDuration(ms)}; ${group.describeLastLines(name)}`;
  try {
    const measured = await stop.unlessStopped(within({ ms, clock, signal: stop.aborted, describe }, result.promise));
    await group.stop([name]);
    return measured;
  } finally {
    fleet.thaw();
  }
}
