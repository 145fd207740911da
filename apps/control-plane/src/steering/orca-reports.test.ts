import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { Server, ServerCredentials, type ServerWritableStream, status } from "@grpc/grpc-js";
import { createRandom } from "@grpc-lb/core";
import { assertNothingLeft, ManualClock, until } from "@grpc-lb/core/testing";
import { OrcaLoadReport } from "@grpc-lb/protos/xds/data/orca/v3";
import { OpenRcaServiceService, type OrcaLoadReportRequest } from "@grpc-lb/protos/xds/service/orca/v3";
import { OrcaReports } from "./orca-reports.ts";

afterEach(assertNothingLeft);

type Call = ServerWritableStream<OrcaLoadReportRequest, OrcaLoadReport>;

/** A pod with OpenRcaService, or without. */
async function startPod(hasReports = true) {
  const server = new Server();
  const calls: Call[] = [];
  if (hasReports) server.addService(OpenRcaServiceService, { streamCoreMetrics: (call: Call) => calls.push(call) });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  const endpoint = {
    ...{ id: `pod-${port}`, addresses: [{ host: "127.0.0.1", port }], weight: 1, zone: undefined },
    ...{ forZones: [], nodeName: undefined, metadata: {} },
  };
  return { endpoint, calls, stop: () => server.forceShutdown() };
}

function reading() {
  const clock = new ManualClock();
  const loads: unknown[] = [];
  const reports = new OrcaReports({
    ...{ intervalMs: 1_500, clock, random: createRandom(1) },
    onReport: (id, load) => loads.push([id, load]),
  });
  return { clock, loads, reports };
}

test("reports are read from every endpoint, and a broken stream is started again", async () => {
  const pod = await startPod();
  const { clock, loads, reports } = reading();
  reports.update([pod.endpoint]);
  await until(() => pod.calls.length === 1, "the stream");
  assert.deepEqual(pod.calls[0]?.request.reportInterval, { seconds: 1n, nanos: 5e8 });
  pod.calls[0]?.write(OrcaLoadReport.fromPartial({ rpsFractional: 10, eps: 1, cpuUtilization: 0.5 }));
  await until(() => loads.length === 1, "the report");
  const load = { callsPerSecond: 10, errorsPerSecond: 1, utilization: 0.5 };
  assert.deepEqual(loads, [[pod.endpoint.id, load]]);
  pod.calls[0]?.emit("error", { code: status.UNAVAILABLE, details: "broken" });
  await clock.asleep();
  reports.update([pod.endpoint]);
  clock.advance(5_000);
  await until(() => pod.calls.length === 2, "the next stream");
  pod.calls[1]?.write(
    OrcaLoadReport.fromPartial({ rpsFractional: 10, cpuUtilization: 0.5, applicationUtilization: 2 }),
  );
  await until(() => loads.length === 2, "the next report");
  assert.deepEqual(loads[1], [pod.endpoint.id, { ...load, errorsPerSecond: 0, utilization: 2 }]);
  await reports.close();
  assert.equal(clock.sleeping, 0);
  pod.stop();
});

test("an endpoint that leaves is not called any more, nor is one without the service", async () => {
  const [pod, mute] = await Promise.all([startPod(), startPod(false)]);
  const { clock, reports } = reading();
  reports.update([pod.endpoint, mute.endpoint]);
  await until(() => pod.calls.length === 1, "the stream");
  reports.update([mute.endpoint]);
  await until(() => pod.calls[0]?.cancelled === true, "the end of the stream");
  reports.update([]);
  await reports.close();
  reports.update([pod.endpoint]);
  assert.deepEqual([pod.calls.length, clock.sleeping], [1, 0]);
  for (const { stop } of [pod, mute]) stop();
});
