import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { ManualClock, until } from "@grpc-lb/core/testing";
import { stateOf } from "../../testing/processes.ts";
import { Freezer } from "./freezer.ts";
import { ProcessGroup } from "./process-group.ts";

const sampleMember = join(import.meta.dirname, "../../testing/sample-member.ts");
const isLinux = process.platform === "linux";

test("a frozen process is stopped until it is thawed, and a throttled one most of the time", {
  skip: !isLinux && "reads /proc",
}, async (t) => {
  const group = new ProcessGroup();
  t.after(() => group.close());
  const ready = Promise.withResolvers<string>();
  const { pid = 0 } = group.start({ name: "wait", main: sampleMember, args: ["wait"], onStdout: ready.resolve });
  await ready.promise;
  const clock = new ManualClock();
  const stop = new AbortController();
  const freezer = new Freezer({ group, clock, signal: stop.signal });
  const isStopped = (wanted: boolean) => until(() => (stateOf(pid) === "T") === wanted, `stopped: ${wanted}`);

  await freezer.freeze(pid);
  await isStopped(true);
  assert.equal(freezer.isHeld(pid), true);
  freezer.thaw(pid);
  await isStopped(false);

  await freezer.throttle(pid);
  for (let period = 0; period < 2; period++) {
    await isStopped(true);
    await clock.asleep();
    clock.advance(180);
    await isStopped(false);
    await clock.asleep();
    clock.advance(20);
  }
  freezer.thawAll();
  await isStopped(false);
  assert.equal(freezer.isHeld(pid), false);
  await until(() => clock.sleeping === 0, "no wait is left");
});
