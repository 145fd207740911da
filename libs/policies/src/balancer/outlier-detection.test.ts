import assert from "node:assert/strict";
import { afterEach, type TestContext, test } from "node:test";
import { Metadata, status } from "@grpc/grpc-js";
import { createRandom } from "@grpc-lb/core";
import { assertNothingLeft, ManualClock } from "@grpc-lb/core/testing";
import { closeChannel, endpoints, openChannel, take } from "../../testing/fake-calls.ts";
import type { FakeChannel } from "../../testing/fake-channel.ts";
import { noWaits } from "../../testing/no-waits.ts";
import { turn } from "../../testing/rig.ts";
import { connectivityState } from "../grpc-js.ts";
import { policyNames, registerPoliciesIn } from "../registration/register.ts";

const clock = new ManualClock();
registerPoliciesIn({ clock, random: createRandom(1), ...noWaits });
afterEach(assertNothingLeft);

const [one, two, three, four] = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80", "10.0.0.4:80"] as const;
const all = [one, two, three, four];

/** With which every endpoint has calls; `peak_ewma` leaves a failing one by itself, unless it forgets quickly. */
const configs: Readonly<Record<string, object>> = {
  peak_ewma: { decay: "0.005s" },
  ring_hash: { requestHashHeader: "x-key" },
  maglev: { requestHashHeader: "x-key", tableSize: 251 },
  source_hash: { requestHashHeader: "x-key" },
  locality: { childPolicy: [{ least_request: {} }] },
  subset: { subsetSize: 4, clientKey: "a client", childPolicy: [{ least_request: {} }] },
};

/** grpc-js's policy over one of this library: it checks every 10 s, and ejects for 30 s. */
const detecting = (name: string) => ({
  outlier_detection: {
    interval: { seconds: 10, nanos: 0 },
    base_ejection_time: { seconds: 30, nanos: 0 },
    max_ejection_percent: 75,
    failure_percentage_ejection: { threshold: 50, minimum_hosts: 3, request_volume: 5 },
    child_policy: [{ [name]: configs[name] ?? {} }],
  },
});

/** Four endpoints under outlier_detection, whose time the test moves. */
function open(t: TestContext, name: string): FakeChannel {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  return openChannel(detecting(name), endpoints(4));
}

/** Calls one after the other, each of 10 ms and with a key of its own. @returns how many each endpoint has got */
function calls(channel: FakeChannel, failing: readonly string[] = []): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let n = 0; n < 400; n++) {
    const metadata = new Metadata();
    metadata.set("x-key", `key-${n}`);
    const call = take(channel, metadata);
    counts[call.address] = (counts[call.address] ?? 0) + 1;
    clock.advance(10);
    call.end(failing.includes(call.address) ? status.UNAVAILABLE : status.OK);
    clock.advance(20);
  }
  return counts;
}

/** Lets outlier_detection check once, or several times. */
async function look(t: TestContext, times = 1): Promise<void> {
  for (let n = 0; n < times; n++) t.mock.timers.tick(10_000);
  await turn();
}

const addressesOf = (counts: Readonly<Record<string, number>>) => Object.keys(counts).sort();

for (const name of policyNames) {
  test(`outlier_detection over ${name} ejects a failing endpoint, which gets no call, and takes it back`, async (t) => {
    const channel = open(t, name);
    const { held } = channel;
    const before = calls(channel, [two]);
    assert.deepEqual(addressesOf(before), all);
    assert.ok((before[two] ?? 0) >= 5, `want enough calls to tell that it fails, got ${before[two]}`);

    await look(t);
    assert.deepEqual(addressesOf(calls(channel, [two])), [one, three, four], "while it is ejected");
    await look(t, 3);
    assert.deepEqual(addressesOf(calls(channel, [two])), [one, three, four], "for 30 s");

    await look(t);
    assert.deepEqual(addressesOf(calls(channel)), all, "it takes calls again");
    await look(t);
    assert.deepEqual(addressesOf(calls(channel)), all, "it does not fail any more");
    assert.deepEqual(channel.held, held, "no connection was given up for it");
    closeChannel(channel, clock);
  });

  test(`outlier_detection over ${name} ejects several, and calls fail when the only other cannot be reached`, async (t) => {
    const channel = open(t, name);
    calls(channel, [one, two, three]);
    await look(t);
    assert.deepEqual(addressesOf(calls(channel)), [four]);
    channel.at(four).become(connectivityState.IDLE);
    channel.at(four).become(connectivityState.TRANSIENT_FAILURE, "refused");
    assert.match(channel.refusal(new Metadata()) ?? "", /refused/);
    await look(t, 4);
    assert.deepEqual(addressesOf(calls(channel)), [one, two, three], "endpoints whose ejection ended take calls");
    closeChannel(channel, clock);
  });
}
