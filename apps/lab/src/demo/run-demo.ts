import type { Clock } from "@grpc-lb/core";
import type { CallLine } from "@grpc-lb/verdict";
import { within } from "../processes/deadline.ts";
import { type PodServer, startPodServer } from "../processes/pod-server.ts";
import { ProcessGroup } from "../processes/process-group.ts";
import { createStop } from "../processes/stop.ts";
import type { ClientLog } from "./client-log.ts";
import { type Places, startPlaces } from "./environment/environment.ts";
import { makeLabFolder } from "./environment/temporary-folder.ts";
import { type Plan, podNames } from "./plan.ts";
import { startRegistries } from "./registries/start-registries.ts";
import { clientArgs, type Strategy } from "./strategies.ts";

/** What a run tells whoever shows it, in this order. */
export interface LabWatcher {
  /** All servers serve. */
  onServing(servers: readonly PodServer[]): void;
  /** Each client has made a call: the duration counts from now on. */
  onRunning(): void;
  /** A client has made a call, which stands in its log. */
  onLine(strategy: Strategy, line: CallLine): void;
}

const firstCallTimeoutMs = 20_000;

/** What a run needs to know. */
export interface LabOptions {
  readonly plan: Plan;
  /** What is filled: one log for each client to start. */
  readonly logs: readonly ClientLog[];
  readonly watcher: LabWatcher;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Runs registries, servers, Service and clients as planned, and stops them again. It resolves when the last process has ended, and
 * rejects no earlier.
 *
 * @throws ProgramError when a process does not start or ends before its time (exit code 1), or when `signal` is aborted
 * (exit code 130)
 */
export async function runLab({ plan, logs, watcher, clock, signal }: LabOptions): Promise<void> {
  const folder = await makeLabFolder();
  const group = new ProcessGroup();
  let places: Places | undefined;
  const stop = createStop(signal, group, "stopped before the end, so there is no verdict");
  const { aborted, unlessStopped } = stop;
  const clients = logs.map((log) => log.strategy.name);

  try {
    const needed = logs.flatMap(({ strategy }) => strategy.registry ?? []);
    const options = { group, clock, signal: aborted, folder: folder.path };
    const registries = await unlessStopped(startRegistries(needed, options));
    const targets = Object.values(registries);
    const servers = await unlessStopped(
      Promise.all(podNames(plan).map((name) => startPodServer(group, name, clock, aborted, { registries: targets }))),
    );
    places = await startPlaces({ servers, seed: plan.seed, folder: folder.path, registries });
    const { addresses } = places;

    watcher.onServing(servers);
    const firstLines = logs.map((log) => {
      const { strategy } = log;
      const first = Promise.withResolvers<void>();
      const take = (text: string) => {
        const line = log.take(text);
        if (!line) return;
        first.resolve();
        watcher.onLine(strategy, line);
      };
      const args = clientArgs(strategy, addresses, plan.intervalMs);
      const env = strategy.env?.(addresses) ?? {};
      group.start({ name: strategy.name, main: strategy.main, args, env, onStdout: take, onStderr: take });
      return first.promise;
    });
    const describe = () => {
      const silent = logs.find((log) => log.tail.length === 0)?.strategy.name ?? "";
      return `${silent} made no call within ${firstCallTimeoutMs / 1000} s; ${group.describeLastWords(silent)}`;
    };
    const deadline = { ms: firstCallTimeoutMs, clock, signal: aborted, describe };
    await unlessStopped(within(deadline, Promise.all(firstLines)));

    watcher.onRunning();
    await unlessStopped(clock.sleep(plan.durationMs, aborted));
    // A call that is under way must still find its server.
    await unlessStopped(group.stop(clients));
  } finally {
    stop.close();
    // Who needs the others goes before them: a server still has to leave its registries.
    await group.stop(clients);
    await group.stop(podNames(plan));
    await Promise.all([group.close(), places?.close()]);
    folder.remove();
  }
}
