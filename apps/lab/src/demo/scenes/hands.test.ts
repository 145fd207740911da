import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { turn } from "@grpc-lb/core/testing";
import type { Pod } from "../pods.ts";
import { type HandledFleet, Hands, maxRunningPods } from "./hands.ts";
import type { Action } from "./scene.ts";

const podNamed = (podName: string): Pod => ({ podName, pid: 0, httpPort: 0, grpcPort: 0 });

/** A fleet without processes, which writes down its changes. */
class FakeFleet implements HandledFleet {
  pods = ["server-1", "server-2", "server-3"].map(podNamed);
  running: readonly Pod[] = this.pods;
  readonly held = new Set<Pod>();
  readonly done: string[] = [];

  isHeld(pod: Pod): boolean {
    return this.held.has(pod);
  }

  async act(action: Action): Promise<void> {
    const names = "pods" in action ? action.pods : "pod" in action ? [action.pod] : [];
    this.done.push([action.t, ...names].join(" "));
    if (action.t === "start") {
      const started = action.pods.map(podNamed);
      this.pods = [...this.pods, ...started];
      this.running = [...this.running, ...started];
    }
    if (action.t === "kill" || action.t === "drain") {
      this.running = this.running.filter(({ podName }) => !names.includes(podName));
    }
    for (const pod of this.pods) {
      if ((action.t === "freeze" || action.t === "slow") && names.includes(pod.podName)) this.held.add(pod);
    }
  }

  async recover(pod: Pod): Promise<void> {
    this.done.push(`recover ${pod.podName}`);
    this.held.delete(pod);
  }
}

async function press(keys: string, fleet = new FakeFleet()) {
  const notes: string[] = [];
  const hands = new Hands(fleet, (text) => notes.push(text));
  for (const key of keys) {
    hands.press(key);
    await turn(); // the changes of a fake fleet are done then
  }
  hands.press("q");
  await hands.ended;
  return { done: fleet.done, notes };
}

describe("the keys", () => {
  it("start and drain the newest pod, and kill the oldest", async () => {
    const { done } = await press("+-k");
    assert.deepEqual(done, ["start server-4", "drain server-4", "kill server-1"]);
  });

  it("freeze and slow the oldest pod that is neither, and undo it", async () => {
    const { done } = await press("fsfs");
    assert.deepEqual(done, ["freeze server-1", "slow server-2", "recover server-1", "recover server-2"]);
  });

  it("replace every pod, the next one only when its successor is ready", async () => {
    const { done } = await press("r");
    const pair = (n: number) => [`start server-${n + 3}`, `drain server-${n}`];
    assert.deepEqual(done, [...pair(1), ...pair(2), ...pair(3)]);
  });

  it("say so when no pod is left that is neither frozen nor slow", async () => {
    const fleet = new FakeFleet();
    for (const pod of fleet.pods) fleet.held.add(pod);
    for (const key of "-kfsr")
      assert.deepEqual((await press(key, fleet)).notes, ["no pod is left for this; + starts one"]);
  });

  it("take the registries away and bring them back", async () => {
    const { done } = await press("oo");
    assert.deepEqual(done, ["registry-away", "registry-back"]);
  });

  it("keep the last pod, and say so", async () => {
    const { done, notes } = await press("kkk-");
    assert.deepEqual(done, ["kill server-1", "kill server-2"]);
    assert.deepEqual(notes, Array(2).fill("the last pod stays; + starts another one"));
  });

  it("do nothing after q", async () => {
    const { done } = await press("+qkk");
    assert.deepEqual(done, ["start server-4"]);
  });

  it("show the help for ? and for a key without a meaning", async () => {
    const { done, notes } = await press("?x");
    assert.deepEqual(done, []);
    assert.equal(notes.length, 2);
  });

  it("start at most so many pods that a laptop can run them", async () => {
    const { done, notes } = await press("+".repeat(50));
    assert.equal(done.length, maxRunningPods - 3);
    assert.equal(notes.at(-1), `there are ${maxRunningPods} pods; - drains one`);
  });

  it("wait for the change before, in their order", async () => {
    const fleet = new FakeFleet();
    const hands = new Hands(fleet, () => {});
    for (const key of "+-k") hands.press(key);
    await turn();
    assert.deepEqual(fleet.done, ["start server-4", "drain server-4", "kill server-1"]);
  });

  it("are refused when three changes wait, and q drops those and ends a rolling update with its next pod", async () => {
    const fleet = new FakeFleet();
    const { promise, resolve } = Promise.withResolvers<void>();
    const act = fleet.act.bind(fleet);
    fleet.act = async (action) => {
      await promise;
      await act(action);
    };
    const notes: string[] = [];
    const hands = new Hands(fleet, (text) => notes.push(text));
    for (const key of "rkkk++++q") hands.press(key);
    resolve();
    await hands.ended;
    assert.deepEqual(fleet.done, ["start server-4", "drain server-1"]);
    assert.deepEqual(notes, ["server-4 starts …", ...Array(4).fill("wait: 3 changes wait already"), ""]);
  });

  it("show a change that fails, and go on with the next one", async () => {
    const fleet = new FakeFleet();
    const act = fleet.act.bind(fleet);
    fleet.act = () => {
      fleet.act = act;
      return Promise.reject(new Error("server-4 did not serve within 20 s; last lines of stderr:\n  x"));
    };
    const { done, notes } = await press("++", fleet);
    assert.deepEqual(done, ["start server-5"]);
    assert.deepEqual(notes, [
      "server-4 starts …",
      "server-4 did not serve within 20 s; last lines of stderr: x",
      ...["server-5 starts …", ""],
    ]);
  });
});
