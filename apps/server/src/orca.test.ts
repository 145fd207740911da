import assert from "node:assert/strict";
import { once } from "node:events";
import { afterEach, test } from "node:test";
import { type Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { createMetricsReader } from "@grpc/grpc-js/build/src/orca.js";
import { assertNothingLeft, type ManualClock, until } from "@grpc-lb/core/testing";
import { Pod, PodServiceClient } from "@grpc-lb/protos/pod/v1";
import { OrcaLoadReport } from "@grpc-lb/protos/xds/data/orca/v3";
import { OpenRcaServiceClient } from "@grpc-lb/protos/xds/service/orca/v3";
import { createReadiness, createWorkload } from "../testing/workload.ts";
import { type GrpcListener, listenGrpc } from "./grpc.ts";

const pod = Pod.fromPartial({ name: "server-1" });
const trailerKey = "endpoint-load-metrics-bin";
const servers: GrpcListener[] = [];
const clients: Client[] = [];

async function start(options: Parameters<typeof createWorkload>[0] & { report?: boolean } = {}) {
  const rig = createWorkload(options);
  const server = await listenGrpc(pod, createReadiness(), rig.workload, {
    host: "127.0.0.1",
    port: 0,
    maxConnectionAgeMs: 0,
    loadReports: options.report === false ? undefined : rig.loadReports,
  });
  servers.push(server);
  const address = `127.0.0.1:${server.port}`;
  const pods = new PodServiceClient(address, credentials.createInsecure());
  const orca = new OpenRcaServiceClient(address, credentials.createInsecure());
  clients.push(pods, orca);
  return { ...rig, server, pods, orca };
}

/** Calls once; resolves with the code and the trailing metadata. */
function call(client: PodServiceClient): Promise<{ code: number; trailer: Metadata }> {
  return new Promise((resolve) => {
    const call = client.getPod({}, () => {});
    call.on("status", ({ code, metadata }) => resolve({ code, trailer: metadata }));
  });
}

const reportOf = (trailer: Metadata) => OrcaLoadReport.decode(trailer.get(trailerKey)[0] as Buffer);

/** Waits for the next report of a stream. */
async function next(stream: NodeJS.ReadableStream): Promise<OrcaLoadReport> {
  const [report] = await once(stream, "data");
  return report;
}

/** Waits until the server has noticed the end of its calls. */
const untilNoneSleeps = (clock: ManualClock) => until(() => clock.sleeping === 0, "no pending wait");

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await Promise.all(servers.splice(0).map((server) => server.close()));
  await assertNothingLeft();
});

test("each answer carries the load, also that of a failed call", async () => {
  const chance = [0.9, 0.1];
  const { pods, clock, cpu } = await start({ capacity: 2, errorRate: 0.5, random: () => chance.pop() ?? 0 });
  cpu.usedMs = 300;
  clock.advance(1_000);
  const failed = await call(pods);
  assert.equal(failed.code, status.UNAVAILABLE);
  const first = reportOf(failed.trailer);
  assert.deepEqual([first.rpsFractional, first.eps], [1, 1]);
  assert.ok(Math.abs(first.cpuUtilization - 0.3) < 0.02, `want 0.3, got ${first.cpuUtilization}`);
  clock.advance(50);
  const answered = await call(pods);
  assert.equal(answered.code, status.OK);
  const second = reportOf(answered.trailer);
  assert.deepEqual([second.rpsFractional, second.eps], [2, 1]);
});

test("the application utilization is the used share of the capacity, divided by the weight", async () => {
  const { pods, clock } = await start({ latencyMs: 1_000, capacity: 2, weight: 4 });
  const calls = [call(pods), call(pods)];
  await clock.asleep(2);
  clock.advance(1_000);
  for (const { trailer } of await Promise.all(calls)) assert.equal(reportOf(trailer).applicationUtilization, 1 / 4);
});

test("a report is small, renewed every 50 ms, and readable by grpc-js", async () => {
  const { pods, clock } = await start();
  const trailers: Metadata[] = [];
  for (const waitMs of [1_000, 49, 1]) {
    clock.advance(waitMs);
    trailers.push((await call(pods)).trailer);
  }
  const [first, same, fresh] = trailers.map((trailer) => trailer.get(trailerKey)[0] as Buffer);
  assert.ok(first && first.length <= 36, `want at most 36 bytes, got ${first?.length}`);
  assert.deepEqual(same, first);
  assert.notDeepEqual(fresh, first);
  let read: { rps_fractional?: number } = {};
  const reader = createMetricsReader((report) => {
    read = report;
  }, null);
  reader(status.OK, "OK", trailers[2] ?? new Metadata());
  assert.equal(read.rps_fractional, 3);
});

test("a stream reports at once and then at the interval of its request", async () => {
  const { pods, orca, clock } = await start();
  const stream = orca.streamCoreMetrics({ reportInterval: { seconds: 2n, nanos: 500_000_000 }, requestCostNames: [] });
  stream.on("error", () => {}); // it is cancelled below
  assert.equal((await next(stream)).rpsFractional, 0);
  await call(pods);
  await clock.asleep();
  clock.advance(2_499);
  await call(pods);
  assert.equal(clock.sleeping, 1, "it reported before its time");
  clock.advance(1);
  assert.equal((await next(stream)).rpsFractional, 1);
  stream.cancel();
  await untilNoneSleeps(clock);
});

test("a missing, too short or too long interval is corrected", async () => {
  const { orca, clock } = await start();
  for (const [reportInterval, wantMs] of [
    [undefined, 1_000],
    [{ seconds: 0n, nanos: 1 }, 1_000],
    [{ seconds: -5n, nanos: 0 }, 1_000],
    [{ seconds: 315_576_000_000n, nanos: 0 }, 2 ** 31 - 1],
  ] as const) {
    const stream = orca.streamCoreMetrics({ reportInterval, requestCostNames: [] });
    stream.on("error", () => {}); // it is cancelled below
    await next(stream);
    await clock.asleep();
    clock.advance(wantMs - 1);
    assert.equal(clock.sleeping, 1, `reported before ${wantMs} ms`);
    const second = next(stream);
    clock.advance(1);
    await second;
    stream.cancel();
    await untilNoneSleeps(clock);
  }
});

test("streams end with OK when the server closes, and do not delay it", async () => {
  const { orca, clock, server } = await start();
  const stream = orca.streamCoreMetrics({ requestCostNames: [] });
  await next(stream);
  await clock.asleep();
  const ended = once(stream.resume(), "status");
  await server.close();
  const [{ code }] = await ended;
  assert.deepEqual([code, clock.sleeping], [status.OK, 0]);
});

test("a server without reports has no trailer and no such service", async () => {
  const { pods, orca } = await start({ report: false });
  assert.deepEqual((await call(pods)).trailer.get(trailerKey), []);
  const [error] = (await once(orca.streamCoreMetrics({ requestCostNames: [] }), "error")) as [ServiceError];
  assert.equal(error.code, status.UNIMPLEMENTED);
});
