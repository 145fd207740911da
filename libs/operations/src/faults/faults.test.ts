import assert from "node:assert/strict";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import { createRandom } from "@grpc-lb/core";
import { ManualClock } from "@grpc-lb/core/testing";
import { FaultInjector, formatFaults, parseFaults } from "./index.ts";

test("faults are parsed and formatted alike", () => {
  for (const [text, faults, formatted = text] of [
    ["delay=100ms:10%", { delay: { ms: 100, share: 0.1 } }],
    ["delay=2s", { delay: { ms: 2_000, share: 1 } }],
    ["error=RESOURCE_EXHAUSTED:0.5%", { error: { code: status.RESOURCE_EXHAUSTED, share: 0.005 } }],
    [
      "hang:7%\n not-serving,refuse-connections",
      { hang: { share: 0.07 }, isNotServing: true, refusesConnections: true },
      "hang:7% not-serving refuse-connections",
    ],
    ["hang slow-start=30s for=1m", { hang: { share: 1 }, slowStartMs: 30_000, forMs: 60_000 }],
  ] as const) {
    assert.deepEqual(parseFaults(text), faults);
    assert.equal(formatFaults(parseFaults(text)), formatted);
  }
});

test("a wrong fault is named, with what is expected", () => {
  for (const [text, message] of [
    ["", /^no fault is given, such as delay=/],
    ["for=60s", /^no fault is given/],
    [
      "dealy=1s",
      /^unknown fault "dealy"; known: delay, error, hang, not-serving, refuse-connections, slow-start, for$/,
    ],
    ["constructor", /^unknown fault "constructor"/],
    ["delay", /^delay must be a duration such as 300ms, 5s or 2m, got ""$/],
    ["delay=0s", /^delay must be longer than 0s$/],
    ["delay=1s:0%", /^delay needs a share above 0% and up to 100%, got "0%"$/],
    ["hang:101%", /^hang needs a share above 0% and up to 100%, got "101%"$/],
    ["error=OK", /^error must be a code of gRPC such as UNAVAILABLE or RESOURCE_EXHAUSTED, got "OK"$/],
    ["error=14", /^error must be a code of gRPC/],
    ["not-serving=yes", /^not-serving takes no value$/],
    ["hang hang", /^hang is given twice$/],
  ] as const) {
    assert.throws(() => parseFaults(text), { name: "RangeError", message });
  }
});

function create() {
  const clock = new ManualClock();
  const injector = new FaultInjector({ clock, random: createRandom(7) });
  const changes: string[] = [];
  injector.onChange(() => changes.push(injector.describe()));
  return { clock, injector, changes };
}

const here = new AbortController().signal;

test("each fault meets its share of the calls", async () => {
  const { injector, clock } = create();
  injector.set(parseFaults("error=UNAVAILABLE:20% delay=50ms:10%"));
  let failed = 0;
  const calls = Array.from({ length: 2_000 }, async () => {
    if ((await injector.apply(here)).t === "error") failed += 1;
  });
  assert.ok(clock.sleeping > 150 && clock.sleeping < 250, `delayed: ${clock.sleeping}`);
  clock.advance(50);
  await Promise.all(calls);
  assert.ok(failed > 330 && failed < 470, `failed: ${failed}`);
});

test("a call is delayed or hangs until its client has gone or the faults end, and nothing is left", async () => {
  for (const text of ["hang", "delay=1h error=UNAVAILABLE", "slow-start=1h"]) {
    const { injector, clock } = create();
    injector.set(parseFaults(text));
    const client = new AbortController();
    const [gone, held] = [injector.apply(client.signal), injector.apply(here)];
    client.abort();
    assert.deepEqual(await gone, { t: "gone" }, text);
    injector.set(parseFaults("delay=2h"));
    const delayed = injector.apply(here);
    injector.clear();
    assert.equal(clock.sleeping, 0, text);
    assert.deepEqual([await held, await delayed], [{ t: "pass" }, { t: "pass" }], text);
  }
});

test("a closed injector takes no faults, so that none delays the end of the server", async () => {
  const { injector, changes } = create();
  injector.set(parseFaults("hang"));
  const held = injector.apply(here);
  injector.close();
  assert.deepEqual(await held, { t: "pass" });
  assert.throws(() => injector.set(parseFaults("hang")), {
    message: "the server is draining: it takes no faults any more",
  });
  assert.deepEqual([await injector.apply(here), changes], [{ t: "pass" }, ["hang", "none"]]);
});

test("a slow start fades, and faults end by themselves", async () => {
  const { injector, clock, changes } = create();
  injector.set(parseFaults("slow-start=10s for=20s"));
  clock.advance(5_000);
  const call = injector.apply(here);
  clock.advance(249);
  assert.equal(clock.sleeping, 2, "the call and the end of the faults");
  clock.advance(1);
  assert.deepEqual(await call, { t: "pass" });
  assert.equal(injector.describe(), "slow-start=10s for=15s");
  clock.advance(20_000);
  await new Promise(setImmediate);
  assert.deepEqual([injector.describe(), injector.hasCallFaults, clock.sleeping], ["none", false, 0]);
  assert.deepEqual(changes, ["slow-start=10s for=20s", "none"]);
});
