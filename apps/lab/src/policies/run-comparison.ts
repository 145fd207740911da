import { join } from "node:path";
import { type Clock, createRandom, formatDuration } from "@grpc-lb/core";
import { within } from "../processes/deadline.ts";
import { ProcessGroup } from "../processes/process-group.ts";
import { createStop, type Stop } from "../processes/stop.ts";
import { Fleet, type FleetServer } from "./fleet.ts";
import { connectedLine, type Measured, parseMeasured } from "./load/measured.ts";
import type { PoliciesPlan } from "./plan.ts";
import { serviceConfigOf } from "./service-config.ts";

/** What a run tells whoever shows it: the servers first, and then each policy twice. */
export interface PoliciesWatcher {
  onServing(servers: readonly FleetServer[]): void;
  /** A policy's trial begins. */
  onTrial(policy: string): void;
  onMeasured(policy: string, measured: Measured): void;
}

/** What a run needs to know. */
export interface PoliciesOptions {
  readonly plan: PoliciesPlan;
  readonly watcher: PoliciesWatcher;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const loadMain = join(import.meta.dirname, "load/main.ts");
/** What a trial may take beyond its own time: to start, to connect, to end. */
const spareMs = 20_000;

/**
 * Tries the policies of a plan one after the other on the same servers, each with a client process of its own. It resolves
 * when the last process has ended, and rejects no earlier.
 *
 * @throws ProgramError when a process does not start or ends before its time (exit code 1), or when `signal` is aborted
 * (exit code 130)
 */
export async function runPolicies({ plan, watcher, clock, signal }: PoliciesOptions): Promise<void> {
  const group = new ProcessGroup();
  const stop = createStop(signal, group, "stopped before the end, so there is no comparison");
  let fleet: Fleet | undefined;
  try {
    fleet = await stop.unlessStopped(Fleet.start(group, clock, stop.aborted));
    watcher.onServing(fleet.servers);
    for (const policy of plan.policies) {
      watcher.onTrial(policy);
      watcher.onMeasured(policy, await tryPolicy(policy, { plan, fleet, group, stop, clock }));
    }
  } finally {
    stop.close();
    fleet?.thaw(); // a frozen process does not hear that it is to end
    await group.close();
  }
}

interface TrialContext {
  readonly plan: PoliciesPlan;
  readonly fleet: Fleet;
  readonly group: ProcessGroup;
  readonly stop: Stop;
  readonly clock: Clock;
}

async function tryPolicy(policy: string, { plan, fleet, group, stop, clock }: TrialContext): Promise<Measured> {
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
      // Only now: no connection to a frozen server would ever be ready.
      if (line === connectedLine && !stop.aborted.aborted) fleet.freeze();
      const measured = parseMeasured(line);
      if (measured) result.resolve(measured);
    },
  });
  const ms = warmUpMs + durationMs + deadlineMs + spareMs;
  const describe = () => `${name} did not end within ${formatDuration(ms)}; ${group.describeLastWords(name)}`;
  try {
    const measured = await stop.unlessStopped(within({ ms, clock, signal: stop.aborted, describe }, result.promise));
    await group.stop([name]);
    return measured;
  } finally {
    fleet.thaw();
  }
}
