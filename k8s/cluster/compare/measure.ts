import type { Expectation } from "@grpc-lb/verdict";
import { type Assessment, assess } from "../assess.ts";
import type { Plan } from "./candidates.ts";
import type { Changes } from "./changes.ts";
import type { ClientWatch } from "./client-watch.ts";
import type { PodWatch } from "./pod-watch.ts";

/** The parts of a measurement, in their order. */
export const steps = ["verdict", "new-pod", "kill", "restart"] as const;
export type StepName = (typeof steps)[number];

/** What was measured of a strategy; a part is undefined if it was not measured. */
export interface Measurement {
  readonly assessment: Assessment;
  /** From "ready" to the first call on a new pod; null if it got none within the limit. */
  readonly firstCallMs?: number | null;
  /** Calls that failed when a server's process was killed. */
  readonly failedInKill?: number;
  /** Calls that failed in a rolling restart of the server. */
  readonly failedInRestart?: number;
}

/** A deployed strategy, its client calling. */
export interface Scene {
  readonly client: ClientWatch;
  readonly pods: PodWatch;
  readonly changes: Changes;
  readonly signal: AbortSignal;
  /** Scales the server. */
  scale(replicas: number): Promise<void>;
  /** Ends a pod's server process without a drain; the pod stays, and its container is started again. */
  kill(pod: string): Promise<void>;
  /** Starts to replace all pods of the server by `replicas` new ones. */
  restart(replicas: number): Promise<void>;
  /** Reports progress. */
  say(text: string): void;
}

const replicas = 3;
const readyLimitMs = 120_000;
const restartLimitMs = 240_000;
const callLimitMs = 60_000;
/** How long failed calls may come after the cause has ended. */
const aftermathMs = 5_000;
/** How long connections may take to open. */
const settleMs = 3_000;

/** Measures a strategy in the wanted steps. */
export async function measure(
  scene: Scene,
  plan: Plan,
  expectation: Expectation,
  wanted: readonly StepName[],
): Promise<Measurement> {
  const assessment = await measureVerdict(scene, plan, expectation);
  return {
    assessment,
    ...(wanted.includes("new-pod") && { firstCallMs: await measureNewPod(scene, plan) }),
    ...(wanted.includes("kill") && { failedInKill: await measureKill(scene) }),
    ...(wanted.includes("restart") && { failedInRestart: await measureRestart(scene) }),
  };
}

async function measureVerdict(scene: Scene, plan: Plan, expectation: Expectation): Promise<Assessment> {
  const { client, pods, say } = scene;
  await until(scene, `${replicas} ready servers`, readyLimitMs, () => pods.ready.length === replicas);
  await until(scene, "the first call", callLimitMs, () => client.calls.length > 0);
  await pause(scene, settleMs);
  const [from, errorsFrom] = [client.calls.length, client.errors.length];
  say(`judging ${plan.calls} calls`);
  await until(scene, `${plan.calls} calls`, callLimitMs, () => client.calls.length >= from + plan.calls);
  const calls = client.calls.slice(from, from + plan.calls).map(({ pod }) => pod);
  const errors = client.errors.slice(errorsFrom);
  return assess(
    { calls, errors },
    pods.ready.map(({ name }) => name),
    expectation,
  );
}

async function measureNewPod(scene: Scene, { newPodLimitMs }: Plan): Promise<number | null> {
  const { client, pods, changes, signal, say } = scene;
  const before = new Set(pods.all.map(({ name }) => name));
  say("adding a pod");
  await scene.scale(replicas + 1);
  const newcomer = () => pods.ready.find(({ name }) => !before.has(name));
  const { name, readyAtMs = 0 } = await until(scene, "the new pod", readyLimitMs, newcomer);
  const firstCall = () => client.calls.find(({ pod }) => pod === name);
  const call = await changes.until(firstCall, newPodLimitMs, signal);
  // The client may have read of the pod before this process did.
  return call === undefined ? null : Math.max(0, Math.round(call.atMs - readyAtMs));
}

async function measureKill(scene: Scene): Promise<number> {
  const { client, pods, say } = scene;
  const victim = pods.ready.find(({ name }) => name === client.calls.at(-1)?.pod) ?? pods.ready[0];
  if (victim === undefined) throw new Error("no server is ready");
  say(`killing the server in ${victim.name}`);
  const errorsFrom = client.errors.length;
  await scene.kill(victim.name);
  const isBack = () => pods.ready.some(({ name, restarts }) => name === victim.name && restarts > victim.restarts);
  await until(scene, "the killed server to be back", readyLimitMs, isBack);
  await pause(scene, aftermathMs);
  return client.errors.length - errorsFrom;
}

async function measureRestart(scene: Scene): Promise<number> {
  const { client, pods, say } = scene;
  const before = new Set(pods.all.map(({ name }) => name));
  const errorsFrom = client.errors.length;
  say("restarting all servers");
  await scene.restart(replicas);
  const isDone = () => pods.ready.length === replicas && !pods.all.some(({ name }) => before.has(name));
  await until(scene, "the old servers to be gone", restartLimitMs, isDone);
  await pause(scene, aftermathMs);
  return client.errors.length - errorsFrom;
}

/** Waits until `check` returns something; after the limit that is an error. */
async function until<T>(
  { changes, client, pods, signal }: Scene,
  what: string,
  limitMs: number,
  check: () => T | undefined | false,
): Promise<T> {
  const found = await changes.until(() => check() || undefined, limitMs, signal);
  signal.throwIfAborted();
  if (found !== undefined) return found;
  const seen = `${pods.ready.length} of ${pods.all.length} pods are ready, ${client.calls.length} calls`;
  const last = client.errors.at(-1);
  throw new Error(
    `waited ${limitMs / 1000} s for ${what}; ${seen}${last === undefined ? "" : `, last error: ${last}`}`,
  );
}

async function pause({ changes, signal }: Scene, ms: number): Promise<void> {
  await changes.until(() => undefined, ms, signal);
  signal.throwIfAborted();
}
