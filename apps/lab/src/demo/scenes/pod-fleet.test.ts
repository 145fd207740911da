import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, it } from "node:test";
import { ManualClock, turn } from "@grpc-lb/core/testing";
import { ProcessGroup } from "../../processes/process-group.ts";
import type { Pod } from "../pods.ts";
import { PodFleet } from "./pod-fleet.ts";

const podNamed = (podName: string, pid = 0): Pod => ({ podName, pid, httpPort: 0, grpcPort: 0 });

/** A fleet of three pods without processes, or with one for the first pod. */
function createFleet(pid = 0) {
  const clock = new ManualClock();
  const log: string[] = [];
  const group = new ProcessGroup();
  const stop = new AbortController();
  const fleet = new PodFleet([podNamed("server-1", pid), podNamed("server-2"), podNamed("server-3")], {
    ...{ group, clock, signal: stop.signal },
    start: async (name) => {
      if (name === "server-9") throw new Error("server-9 did not serve");
      return podNamed(name);
    },
    async publish(pods) {
      log.push(`${clock.now()} publish ${pods.map(({ podName }) => podName.slice(-1)).join("")}`);
    },
    async setRegistryAway(isAway) {
      log.push(`${clock.now()} away ${isAway}`);
    },
    onHappening: ({ atMs, what, pod }) =>
      log.push([atMs, what, pod?.slice(-1)].filter((part) => part !== undefined).join(" ")),
  });
  return { fleet, clock, log, stop, close: () => group.close() };
}

describe("a fleet of pods", () => {
  it("does not publish a pod that does not start, and goes on without it", async (t) => {
    const { fleet, log, close } = createFleet();
    t.after(close);
    await assert.rejects(fleet.act({ t: "start", pods: ["server-9"] }), { message: "server-9 did not serve" });
    await fleet.act({ t: "start", pods: ["server-4"] });
    assert.deepEqual(log, ["0 start-failed 9", "0 ready 4", "0 publish 1234"]);
  });

  it("publishes a pod that is ready, and one that was killed no more after a second", async (t) => {
    const { fleet, clock, log, close } = createFleet();
    t.after(close);
    await fleet.act({ t: "kill", pod: "server-2" });
    await clock.asleep();
    clock.advance(400);
    await fleet.act({ t: "start", pods: ["server-4"] });
    clock.advance(600);
    await fleet.settled();
    assert.deepEqual(log, ["0 killed 2", "400 ready 4", "400 publish 1234", "1000 unpublished 2", "1000 publish 134"]);
    assert.deepEqual(
      fleet.running.map(({ podName }) => podName),
      ["server-1", "server-3", "server-4"],
    );
    assert.equal(clock.sleeping, 0);
  });

  it("publishes a frozen pod no more after two seconds, and not sooner for an earlier freeze", async (t) => {
    const member = spawn(process.execPath, ["-e", "setInterval(() => {}, 60_000)"]);
    t.after(async () => {
      if (member.kill("SIGKILL")) await once(member, "exit");
    });
    const { fleet, clock, log, stop, close } = createFleet(member.pid);
    t.after(close);
    const [pod = assert.fail()] = fleet.pods;
    await fleet.act({ t: "freeze", pod: "server-1" });
    await clock.asleep();
    clock.advance(1_500);
    await fleet.recover(pod);
    await fleet.act({ t: "freeze", pod: "server-1" });
    await clock.asleep();
    clock.advance(500);
    await turn();
    assert.deepEqual(log.splice(0), ["0 frozen 1", "1500 recovered 1", "1500 frozen 1"]);
    clock.advance(1_500);
    await fleet.settled();
    assert.deepEqual(log.splice(0), ["3500 unpublished 1", "3500 publish 23"]);

    await fleet.recover(pod);
    await fleet.act({ t: "freeze", pod: "server-1" });
    await fleet.recover(pod);
    await fleet.act({ t: "slow", pod: "server-1" });
    await clock.asleep();
    clock.advance(2_000);
    await turn();
    assert.deepEqual(log, [
      ...["3500 recovered 1", "3500 publish 231"],
      ...["3500 frozen 1", "3500 recovered 1", "3500 slow 1"],
    ]);
    stop.abort();
    await fleet.settled();
    fleet.thawAll();
  });

  it("publishes drained pods no more at once", async (t) => {
    const { fleet, log, close } = createFleet();
    t.after(close);
    await fleet.act({ t: "drain", pods: ["server-1", "server-3"] });
    await fleet.settled();
    assert.deepEqual(log, ["0 draining 1", "0 draining 3", "0 publish 2"]);
  });

  it("says when the registries are away and back", async (t) => {
    const { fleet, log, close } = createFleet();
    t.after(close);
    await fleet.act({ t: "registry-away" });
    await fleet.act({ t: "registry-back" });
    assert.deepEqual(log, ["0 away true", "0 registry-away", "0 away false", "0 registry-back"]);
  });

  it("notices nothing any more when the scene is stopped", async (t) => {
    const { fleet, clock, log, stop, close } = createFleet();
    t.after(close);
    await fleet.act({ t: "kill", pod: "server-2" });
    await clock.asleep();
    stop.abort();
    await fleet.settled();
    await turn();
    assert.deepEqual(log, ["0 killed 2"]);
    assert.equal(clock.sleeping, 0);
  });
});
