import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "@grpc-lb/core/testing";
import { expectationOfStrategy } from "@grpc-lb/verdict";
import { planOf } from "./candidates.ts";
import { Changes } from "./changes.ts";
import { ClientWatch } from "./client-watch.ts";
import { measure, type Scene, type StepName, steps } from "./measure.ts";
import { PodWatch } from "./pod-watch.ts";

/** A scene with three pods, whose cluster does at once what it is told. */
function createScene() {
  const clock = new ManualClock();
  const changes = new Changes(clock);
  const [client, pods] = [new ClientWatch(changes, clock), new PodWatch(changes, clock)];
  const stop = new AbortController();
  let number = 0;
  const call = (pod: string) => client.add(`#${++number}: ${pod}`);
  const give = (type: string, name: string, restartCount = 0) => {
    const status = { conditions: [{ type: "Ready", status: "True" }], containerStatuses: [{ restartCount }] };
    pods.add(JSON.stringify({ type, object: { metadata: { name }, status } }));
  };
  const killed: string[] = [];
  const scene: Scene = {
    client,
    pods,
    changes,
    signal: stop.signal,
    say() {},
    async scale() {
      give("ADDED", "d");
    },
    async kill(pod) {
      killed.push(pod);
      client.add("Error: 14 UNAVAILABLE");
      give("MODIFIED", pod, 1);
    },
    async restart() {
      for (const name of ["a", "b", "c", "d"]) give("DELETED", name);
      for (const name of ["x", "y", "z"]) give("ADDED", name);
    },
  };
  for (const name of ["a", "b", "c"]) give("ADDED", name);
  call("a");
  return { clock, client, scene, stop, call, killed };
}

const turn = (i: number) => "abc"[i % 3] ?? "";

/** Lets connections open, and gives the calls that are judged. */
async function judgedCalls(
  { clock, call }: ReturnType<typeof createScene>,
  podOf: (i: number) => string,
  count: number,
) {
  await clock.asleep();
  clock.advance(3_000);
  await clock.asleep();
  for (let i = 0; i < count; i++) call(podOf(i));
}

test("each part is measured: verdict, first call on a new pod, failed calls in a kill and in a rolling restart", async () => {
  const world = createScene();
  const { clock, client, scene, call, killed } = world;
  const plan = planOf("resolver");
  const measuring = measure(scene, plan, expectationOfStrategy("resolver"), steps);
  await judgedCalls(world, turn, plan.calls);
  await clock.asleep();
  clock.advance(300);
  call("d");
  await clock.asleep();
  clock.advance(5_000);
  await clock.asleep();
  client.add("Error: late");
  clock.advance(5_000);
  const { assessment, ...rest } = await measuring;
  assert.deepEqual([assessment.verdict?.word, assessment.failure], ["BALANCED", null]);
  assert.deepEqual(rest, { firstCallMs: 300, failedInKill: 1, failedInRestart: 1 });
  assert.deepEqual(killed, ["d"], "the pod of the last call is killed");
  assert.equal(clock.sleeping, 0);
});

test("a new pod without a call within the limit is null", async () => {
  const world = createScene();
  const plan = planOf("clusterip");
  const measuring = measure(world.scene, plan, expectationOfStrategy("clusterip"), ["new-pod"]);
  await judgedCalls(world, () => "b", plan.calls);
  await world.clock.asleep();
  world.clock.advance(plan.newPodLimitMs);
  const { assessment, ...rest } = await measuring;
  assert.equal(assessment.verdict?.word, "PINNED");
  assert.deepEqual(rest, { firstCallMs: null });
});

test("a client that makes no call is an error that says what was seen, and an abort ends the wait", async () => {
  const none: readonly StepName[] = [];
  const late = createScene();
  const measuring = measure(late.scene, planOf("resolver"), expectationOfStrategy("resolver"), none);
  await late.clock.asleep();
  late.clock.advance(3_000);
  await late.clock.asleep();
  late.client.add("Error: no route");
  late.clock.advance(60_000);
  await assert.rejects(measuring, /waited 60 s for 150 calls; 3 of 3 pods are ready, 1 calls, last error: no route/);

  const stopped = createScene();
  const waiting = measure(stopped.scene, planOf("resolver"), expectationOfStrategy("resolver"), none);
  await stopped.clock.asleep();
  stopped.stop.abort("SIGINT");
  await assert.rejects(waiting, (error) => error === "SIGINT");
});
