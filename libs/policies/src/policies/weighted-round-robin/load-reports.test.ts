import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { type TestContext, test } from "node:test";
import { Channel, credentials, Metadata, status } from "@grpc/grpc-js";
import { createRandom } from "@grpc-lb/core";
import { ManualClock } from "@grpc-lb/core/testing";
import { OrcaLoadReport } from "@grpc-lb/protos/xds/data/orca/v3";
import { Rig, turn, until } from "../../../testing/rig.ts";
import type { Subchannel } from "../../grpc-js.ts";
import { readReport, watchReports } from "./load-reports.ts";

const report = OrcaLoadReport.fromPartial({ cpuUtilization: 0.5, rpsFractional: 100, eps: 2 });
const encoded = Buffer.from(OrcaLoadReport.encode(report).finish());

/** A server, and a watch of what it reports. */
async function watched(
  t: TestContext,
  { periodMs = 10_000, isRefused = false, endsAfter = Number.POSITIVE_INFINITY } = {},
) {
  const rig = new Rig(t);
  const [server] = await rig.start("a");
  if (isRefused) server.loads.refuse();
  const clock = new ManualClock();
  const watch = new AbortController();
  const got: number[] = [];
  const channel = new Channel(`127.0.0.1:${server.port}`, credentials.createInsecure(), {
    "grpc.enable_http_proxy": 0,
  });
  // Like a subchannel's channel: one for all callers, whose connection stays open when a caller closes it.
  const counts = { requested: 0, closed: 0 };
  const close = () => {
    counts.closed += 1;
  };
  const own = Object.create(channel, { close: { value: close } }) as Channel;
  const getChannel = () => {
    counts.requested += 1;
    return own;
  };
  const subchannel = { getChannel } as unknown as Subchannel;
  const onReport = ({ rpsFractional }: OrcaLoadReport) => {
    got.push(rpsFractional);
    if (got.length === endsAfter) watch.abort();
  };
  const over = watchReports({ subchannel, periodMs, clock, random: createRandom(1), onReport }, watch.signal).then(() =>
    channel.close(),
  );
  t.after(async () => {
    watch.abort();
    await over;
    assert.equal(clock.sleeping, 0, "waits that are left");
    await server.loads.opened(0);
  });
  return { loads: server.loads, clock, watch, got, over, counts };
}

test("the report of a call is in its trailers; one that cannot be decoded counts as none", () => {
  for (const [value, want] of [
    [encoded, report],
    [Buffer.alloc(0), OrcaLoadReport.fromPartial({})],
    [Buffer.from([0xff, 0xff, 0xff]), undefined],
    [encoded.subarray(0, 5), undefined],
    [undefined, undefined],
  ] as const) {
    const trailer = new Metadata();
    if (value) trailer.set("endpoint-load-metrics-bin", value);
    assert.deepEqual(readReport(trailer), want, value?.toString("hex"));
  }
});

test("of several reports of one call the first counts", () => {
  const trailer = new Metadata();
  trailer.add("endpoint-load-metrics-bin", encoded);
  trailer.add("endpoint-load-metrics-bin", Buffer.from([0xff]));
  assert.deepEqual(readReport(trailer), report);
});

test("reports arrive as the server sends them, in the requested period", async (t) => {
  for (const periodMs of [10_000, 1_250, 100, 1]) {
    await t.test(`${periodMs} ms`, async (t) => {
      const { loads, got } = await watched(t, { periodMs });
      await loads.opened(1);
      assert.deepEqual(loads.periodsMs, [periodMs]);
      for (const rpsFractional of [1, 2, 3]) loads.send({ rpsFractional });
      await until(() => got.length === 3, "three reports");
      assert.deepEqual(got, [1, 2, 3]);
    });
  }
});

test("an abort ends the stream at the server, and no report is delivered after it", async (t) => {
  const { loads, watch, got, over, counts } = await watched(t);
  await loads.opened(1);
  assert.deepEqual(counts, { requested: 1, closed: 0 });
  loads.send({ rpsFractional: 1 });
  await until(() => got.length === 1, "a report");
  loads.send({ rpsFractional: 2 });
  watch.abort();
  await over;
  await loads.opened(0);
  assert.deepEqual(got, [1]);
  assert.deepEqual(getEventListeners(watch.signal, "abort"), []);
  assert.deepEqual(counts, { requested: 1, closed: 1 }, "otherwise channelz keeps the connection forever");
});

test("an abort while several reports are pending ends the stream", async (t) => {
  const { loads, watch, got, over } = await watched(t, { endsAfter: 1 });
  await loads.opened(1);
  for (const rpsFractional of [1, 2, 3]) loads.send({ rpsFractional });
  await over;
  assert.deepEqual([got, watch.signal.aborted], [[1], true]);
});

test("an abort in the turn of the start opens no stream and no connection", async (t) => {
  const { loads, watch, over, counts } = await watched(t);
  watch.abort();
  await over;
  assert.deepEqual([loads.periodsMs, counts], [[], { requested: 0, closed: 0 }]);
});

test("an abort before the stream has started ends it", async (t) => {
  const { loads, watch, over } = await watched(t);
  await turn();
  watch.abort();
  await over;
  assert.equal(loads.open, 0);
});

test("a stream that ends or breaks is restarted with growing delays", async (t) => {
  const { loads, clock, got } = await watched(t);
  const random = createRandom(1);
  for (const [n, code] of [status.UNAVAILABLE, status.INTERNAL, status.OK, status.UNAUTHENTICATED].entries()) {
    await loads.opened(1);
    assert.equal(loads.periodsMs.length, n + 1);
    loads.end(code);
    await clock.asleep();
    const waitMs = random() * 1_000 * 2 ** n;
    clock.advance(waitMs - 1);
    assert.equal(clock.sleeping, 1, `${status[code]}: want a wait of ${waitMs} ms`);
    clock.advance(1);
  }
  await loads.opened(1);
  loads.send({ rpsFractional: 7 });
  await until(() => got.length === 1, "a report of the last stream");
});

test("delays are short again after a report", async (t) => {
  const { loads, clock, got } = await watched(t);
  for (let n = 0; n < 6; n++) {
    await loads.opened(1);
    loads.end(status.UNAVAILABLE);
    await clock.asleep();
    clock.advance(1_000 * 2 ** n);
  }
  await loads.opened(1);
  loads.send({ rpsFractional: 7 });
  await until(() => got.length === 1, "a report");
  loads.end(status.UNAVAILABLE);
  await clock.asleep();
  clock.advance(1_000);
  await loads.opened(1);
});

test("an abort ends the delay before a restart", async (t) => {
  const { loads, clock, watch, over } = await watched(t);
  await loads.opened(1);
  loads.end(status.UNAVAILABLE);
  await clock.asleep();
  watch.abort();
  await over;
  assert.deepEqual([clock.sleeping, loads.periodsMs.length], [0, 1]);
});

test("a server that does not implement reports is not called again", async (t) => {
  const { loads, clock, over } = await watched(t, { isRefused: true });
  await over;
  assert.deepEqual([clock.sleeping, loads.periodsMs.length], [0, 1]);
});
