import { type Clock, formatDuration } from "@grpc-lb/core";
import type { CallLine } from "@grpc-lb/verdict";
import { within } from "../../processes/deadline.ts";
import { ProcessGroup } from "../../processes/process-group.ts";
import { startAdvice, startLimitMs } from "../../processes/start-limit.ts";
import { createStop } from "../../processes/stop.ts";
import { chooseControlPlanePorts, startControlPlane } from "../environment/control-plane.ts";
import { type Environment, startEnvironment } from "../environment/environment.ts";
import { createTemporaryFolder } from "../environment/temporary-folder.ts";
import { type Pod, startPod } from "../pods.ts";
import { startProxies } from "../proxies/start-proxies.ts";
import type { RegistryTargets } from "../registries/registry.ts";
import { isRegistry, setRegistriesFrozen, startRegistries } from "../registries/start-registries.ts";
import { clientArgs, type Strategy } from "../strategies.ts";
import type { SceneHistory } from "./measure.ts";
import { type Happening, PodFleet } from "./pod-fleet.ts";
import type { LineLog } from "./scene-log.ts";

/** The parameters of a scene. */
export interface ScenePlan {
  /** The names of the pods that run from the start. */
  readonly pods: readonly string[];
  /** The pause between two calls of a client. */
  readonly intervalMs: number;
  /** How long calls are counted for the verdict, after the scene. */
  readonly afterMs: number;
  /** The pause between the last change and the calls that count. */
  readonly settleMs: number;
  readonly seed: number;
}

/** Receives the events of a scene, in this order. */
export interface SceneObserver {
  /** All pods serve. */
  onServing(pods: readonly Pod[]): void;
  /** Registries and Service have these pods now. */
  onPublished?(pods: readonly Pod[]): void;
  /** A pod is being started. */
  onStarting?(podName: string): void;
  /** The processes of pods that were drained have exited. */
  onDrained?(podNames: readonly string[]): void;
  /** A call of each client has succeeded: the scene starts now. */
  onRunning(fleet: PodFleet): void;
  onHappening(happening: Happening): void;
  /** A client has made a call, which its log already has. */
  onCall(strategy: Strategy, line: CallLine): void;
  /** The changes are over, and calls count for the verdict. */
  onAfter(): void;
}

/** Options of `runScene`. */
export interface SceneOptions {
  readonly plan: ScenePlan;
  /** One per client to start; the run fills them. */
  readonly logs: readonly LineLog[];
  readonly observer: SceneObserver;
  /** Flags of all clients, besides their own. Default: none. */
  readonly clientFlags?: readonly string[];
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Makes the changes. `signal` is aborted when the scene is stopped. */
  direct(fleet: PodFleet, signal: AbortSignal): Promise<void>;
}

/** Long enough for a call of 10 ms on a busy machine, short enough to see that a frozen pod does not answer. */
const callTimeoutMs = 500;
const podFlags = ["--latency", "10ms", "--drain-delay", "1s"];
/** The least that the registries accept with some room, so that they forget a killed pod soon. */
const registrationTtl = "?ttl=2s";

/**
 * Starts the registries, the pods, the environment and the clients, lets `direct` change the pods while all clients call, and
 * stops everything. Settles only when the last process has exited.
 *
 * @throws ProgramError when a process does not start or exits by itself (exit code 1), or when `signal` is aborted (exit code
 * 130, for SIGTERM 143)
 */
export async function runScene(options: SceneOptions): Promise<SceneHistory> {
  const { plan, logs, observer, clock, signal, direct } = options;
  const folder = await createTemporaryFolder();
  const group = new ProcessGroup();
  const stop = createStop(signal, group, "stopped before the end, so there is no verdict");
  const { aborted, unlessStopped } = stop;
  const clients = logs.map((log) => log.strategy.name);
  let environment: Environment | undefined;
  let fleet: PodFleet | undefined;
  let registries: RegistryTargets = {};

  try {
    const programs = logs.flatMap(({ strategy }) => strategy.program ?? []);
    const around = { group, clock, signal: aborted, folder: folder.path };
    registries = await unlessStopped(startRegistries(programs.filter(isRegistry), around));
    const podOptions = {
      registries: Object.values(registries).map((target) => `${target}${registrationTtl}`),
      hasAging: logs.some(({ strategy }) => strategy.learning === "age"),
      flags: podFlags,
    };
    const start = (name: string) => startPod(group, name, clock, aborted, podOptions);
    const pods = await unlessStopped(Promise.all(plan.pods.map(start)));
    const proxyNames = logs.flatMap(({ strategy }) => strategy.proxy ?? []);
    const proxies = await unlessStopped(startProxies(proxyNames, { ...around, pods }));
    const controlPlane = await chooseControlPlanePorts();
    const env = await startEnvironment({
      ...{ pods, seed: plan.seed, folder: folder.path, registries, proxies, controlPlane },
      onPublished: (published) => observer.onPublished?.(published),
    });
    environment = env;
    const strategies = logs.map(({ strategy }) => strategy);
    const { addresses } = env;
    await unlessStopped(startControlPlane(strategies, { ...around, addresses }));
    observer.onServing(pods);
    await unlessStopped(startClients(options, group, env, aborted));

    const happenings: Happening[] = [];
    fleet = new PodFleet(pods, {
      ...{ group, clock, signal: aborted },
      // A registry may be away, and then a pod is ready without it.
      start(name) {
        observer.onStarting?.(name);
        return startPod(group, name, clock, aborted, { ...podOptions, waitsForRegistration: false });
      },
      onDrained: (names) => observer.onDrained?.(names),
      publish: (published) => env.update(published),
      async setRegistryAway(isAway) {
        await (isAway ? env.leave() : env.comeBack());
        setRegistriesFrozen(registries, group, isAway);
      },
      onHappening(happening) {
        happenings.push(happening);
        observer.onHappening(happening);
      },
    });
    const startMs = clock.now();
    observer.onRunning(fleet);
    await unlessStopped(direct(fleet, aborted));
    await unlessStopped(fleet.settled());
    await unlessStopped(clock.sleep(plan.settleMs, aborted));
    observer.onAfter();
    const afterMs = clock.now();
    await unlessStopped(clock.sleep(plan.afterMs, aborted));
    const endMs = clock.now();
    const published = fleet.published.map(({ podName }) => podName);
    const history = { startMs, afterMs, endMs, happenings, pods: fleet.pods, published };
    // Clients first: a call in flight still needs its pod.
    await unlessStopped(group.stop(clients));
    return history;
  } finally {
    stop.close();
    fleet?.thawAll();
    setRegistriesFrozen(registries, group, false);
    // Each process is stopped before those it depends on: pods deregister while the registries still run.
    await group.stop(clients);
    await group.stop(fleet?.members ?? []);
    await Promise.all([group.close(), environment?.close()]);
    folder.remove();
  }
}

/** Resolves when each client has made a call that succeeded. */
async function startClients(
  { plan, logs, observer, clock, clientFlags = [] }: SceneOptions,
  group: ProcessGroup,
  { addresses }: Environment,
  signal: AbortSignal,
): Promise<void> {
  const firstCalls = logs.map((log) => {
    const { strategy } = log;
    const first = Promise.withResolvers<void>();
    const take = (text: string) => {
      const line = log.add(text, clock.now());
      if (!line) return;
      if (line.t === "call") first.resolve();
      observer.onCall(strategy, line);
    };
    const args = [
      ...clientArgs(strategy, addresses, plan.intervalMs),
      "--timeout",
      formatDuration(callTimeoutMs),
      ...clientFlags,
    ];
    const env = strategy.env?.(addresses) ?? {};
    group.start({ name: strategy.name, main: strategy.main, args, env, onStdout: take, onStderr: take });
    return first.promise;
  });
  const describe = () => {
    const silent = logs.find((log) => !log.hasSucceeded)?.strategy.name ?? "";
    return `no call of ${silent} succeeded within ${startLimitMs / 1000} s; ${startAdvice}; ${group.describeLastLines(silent)}`;
  };
  await within({ ms: startLimitMs, clock, signal, describe }, Promise.all(firstCalls));
}
