import type { Clock } from "@grpc-lb/core";
import type { CallLine } from "@grpc-lb/verdict";
import { within } from "../processes/deadline.ts";
import type { PodServer } from "../processes/pod-server.ts";
import { ProcessGroup } from "../processes/process-group.ts";
import { startAdvice, startLimitMs } from "../processes/start-limit.ts";
import { createStop } from "../processes/stop.ts";
import type { ClientLog } from "./client-log.ts";
import { chooseControlPlanePorts, startControlPlane } from "./environment/control-plane.ts";
import { type Environment, startEnvironment } from "./environment/environment.ts";
import { createTemporaryFolder } from "./environment/temporary-folder.ts";
import { type Plan, podNames } from "./plan.ts";
import { membersOf, startPod } from "./pods.ts";
import { startProxies } from "./proxies/start-proxies.ts";
import { isRegistry, startRegistries } from "./registries/start-registries.ts";
import { clientArgs, type Strategy } from "./strategies.ts";
import { untilEnough } from "./until-enough.ts";

/** Receives the events of a run, in this order. */
export interface DemoObserver {
  /** All servers serve. */
  onServing(servers: readonly PodServer[]): void;
  /** Each client has made a call: the duration starts now. */
  onRunning(): void;
  /** A client has made a call, which its log already has. */
  onCall(strategy: Strategy, line: CallLine): void;
}

/** Options of a run. */
export interface DemoOptions {
  readonly plan: Plan;
  /** One per client to start; the run fills them. */
  readonly logs: readonly ClientLog[];
  readonly observer: DemoObserver;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Starts the registries, the servers, the environment and the clients, lets the clients call, and stops everything. Settles only
 * when the last process has exited.
 *
 * @throws ProgramError when a process does not start or exits early (exit code 1), or when `signal` is aborted (exit code 130,
 * for SIGTERM 143)
 */
export async function runDemo({ plan, logs, observer, clock, signal }: DemoOptions): Promise<void> {
  const folder = await createTemporaryFolder();
  const group = new ProcessGroup();
  let environment: Environment | undefined;
  const stop = createStop(signal, group, "stopped before the end, so there is no verdict");
  const { aborted, unlessStopped } = stop;
  const clients = logs.map((log) => log.strategy.name);

  try {
    const programs = logs.flatMap(({ strategy }) => strategy.program ?? []);
    const options = { group, clock, signal: aborted, folder: folder.path };
    const registries = await unlessStopped(startRegistries(programs.filter(isRegistry), options));
    const targets = Object.values(registries);
    const hasAging = logs.some(({ strategy }) => strategy.learning === "age");
    const podOptions = { registries: targets, hasAging };
    const pods = await unlessStopped(
      Promise.all(podNames(plan).map((name) => startPod(group, name, clock, aborted, podOptions))),
    );
    const proxyNames = logs.flatMap(({ strategy }) => strategy.proxy ?? []);
    const proxies = await unlessStopped(startProxies(proxyNames, { ...options, pods }));
    const controlPlane = await chooseControlPlanePorts();
    const around = { registries, proxies, controlPlane };
    environment = await startEnvironment({ pods, seed: plan.seed, folder: folder.path, ...around });
    const { addresses } = environment;
    const strategies = logs.map(({ strategy }) => strategy);
    await unlessStopped(startControlPlane(strategies, { ...options, addresses }));

    observer.onServing(pods);
    const firstCalls = logs.map((log) => {
      const { strategy } = log;
      const first = Promise.withResolvers<void>();
      const take = (text: string) => {
        const line = log.add(text);
        if (!line) return;
        first.resolve();
        observer.onCall(strategy, line);
      };
      const args = clientArgs(strategy, addresses, plan.intervalMs);
      const env = strategy.env?.(addresses) ?? {};
      group.start({ name: strategy.name, main: strategy.main, args, env, onStdout: take, onStderr: take });
      return first.promise;
    });
    const describe = () => {
      const silent = logs.find((log) => log.tail.length === 0)?.strategy.name ?? "";
      return `${silent} made no call within ${startLimitMs / 1000} s; ${startAdvice}; ${group.describeLastLines(silent)}`;
    };
    const deadline = { ms: startLimitMs, clock, signal: aborted, describe };
    await unlessStopped(within(deadline, Promise.all(firstCalls)));

    observer.onRunning();
    await unlessStopped(clock.sleep(plan.durationMs, aborted));
    await unlessStopped(untilEnough(logs, plan, clock, aborted));
    // Clients first: a call in flight still needs its server.
    await unlessStopped(group.stop(clients));
  } finally {
    stop.close();
    // Each process is stopped before those it depends on: servers deregister while the registries still run.
    await group.stop(clients);
    await group.stop(podNames(plan).flatMap(membersOf));
    await Promise.all([group.close(), environment?.close()]);
    folder.remove();
  }
}
