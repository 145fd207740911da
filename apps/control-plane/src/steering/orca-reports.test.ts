import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { after, afterEach, test } from "node:test";
import { Server, ServerCredentials, type ServerWritableStream, status } from "@grpc/grpc-js";
import { createRandom } from "@grpc-lb/core";
import { assertNothingLeft, type Certificates, ManualClock, makeCertificates, until } from "@grpc-lb/core/testing";
import type { Endpoint } from "@grpc-lb/discovery";
import { OrcaLoadReport } from "@grpc-lb/protos/xds/data/orca/v3";
import { OpenRcaServiceService, type OrcaLoadReportRequest } from "@grpc-lb/protos/xds/service/orca/v3";
import { OrcaReports } from "./orca-reports.ts";
import type { OrcaChannel } from "./orca-stream.ts";

const certificates = makeCertificates("pods.example");
after(() => certificates?.remove());
afterEach(assertNothingLeft);

type Call = ServerWritableStream<OrcaLoadReportRequest, OrcaLoadReport>;

/** A pod with OpenRcaService, or without. */
async function startPod(hasReports = true, credentials = ServerCredentials.createInsecure()) {
  const server = new Server();
  const calls: Call[] = [];
  if (hasReports) server.addService(OpenRcaServiceService, { streamCoreMetrics: (call: Call) => calls.push(call) });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", credentials, (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  return { endpoint: endpointAt(port), calls, stop: () => server.forceShutdown() };
}

function endpointAt(port: number): Endpoint {
  return {
    ...{ id: `pod-${port}`, addresses: [{ host: "127.0.0.1", port }], weight: 1, zone: undefined },
    ...{ forZones: [], nodeName: undefined, metadata: {} },
  };
}

function reading(channel: OrcaChannel = {}) {
  const clock = new ManualClock();
  const loads: unknown[] = [];
  const reports = new OrcaReports({
    ...channel,
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
  await until(() => reports.problem !== undefined, "the reason");
  assert.equal(reports.problem?.count, 1);
  assert.match(reports.problem?.reason ?? "", /^127\.0\.0\.1:\d+: UNIMPLEMENTED: /);
  reports.update([mute.endpoint]);
  await until(() => pod.calls[0]?.cancelled === true, "the end of the stream");
  reports.update([]);
  await reports.close();
  reports.update([pod.endpoint]);
  assert.deepEqual([pod.calls.length, clock.sleeping], [1, 0]);
  for (const { stop } of [pod, mute]) stop();
});

test("an endpoint that fails twice in a row is a problem until it reports; one that ends is none", async () => {
  const pod = await startPod();
  const { clock, loads, reports } = reading();
  reports.update([pod.endpoint]);
  for (const [n, want] of [undefined, `127.0.0.1:${pod.endpoint.addresses[0]?.port}: UNAVAILABLE: broken`].entries()) {
    await until(() => pod.calls.length === n + 1, "the stream");
    pod.calls[n]?.emit("error", { code: status.UNAVAILABLE, details: "broken" });
    await clock.asleep();
    assert.equal(reports.problem?.reason, want);
    clock.advance(120_000);
  }
  await until(() => pod.calls.length === 3, "the next stream");
  pod.calls[2]?.write(OrcaLoadReport.fromPartial({ rpsFractional: 10, cpuUtilization: 0.5 }));
  await until(() => loads.length === 1, "the report");
  assert.equal(reports.problem, undefined);
  await reports.close();
  pod.stop();
});

test("reports are read by TLS from endpoints whose certificates have the name", { skip: !certificates }, async () => {
  const { caFile, server } = certificates as Certificates;
  const [ca, key, cert] = [caFile, server.keyFile, server.certFile].map((file) => readFileSync(file));
  const pair = { private_key: key as Buffer, cert_chain: cert as Buffer };
  const pod = await startPod(true, ServerCredentials.createSsl(null, [pair]));
  const { loads, reports } = reading({ tls: () => ({ ca: String(ca) }), serverName: "pods.example" });
  reports.update([pod.endpoint]);
  await until(() => pod.calls.length === 1, "the stream");
  pod.calls[0]?.write(OrcaLoadReport.fromPartial({ rpsFractional: 10, cpuUtilization: 0.5 }));
  await until(() => loads.length === 1, "the report");
  await reports.close();
  pod.stop();
});

test("an endpoint that accepts connections and never speaks is left after 5 s, and a close leaves no socket to it", async () => {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => {}).on("close", () => sockets.delete(socket)));
    socket.resume();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const { clock, reports } = reading();
  reports.update([endpointAt(port)]);
  for (const want of [undefined, `127.0.0.1:${port}: DEADLINE_EXCEEDED: no connection within 5s`]) {
    await until(() => sockets.size === 1, "the connection");
    clock.advance(5_000);
    await until(() => sockets.size === 0, "the end of the connection");
    await clock.asleep();
    assert.equal(reports.problem?.reason, want);
    clock.advance(120_000);
  }
  await until(() => sockets.size === 1, "the next connection");
  await reports.close();
  assert.equal(clock.sleeping, 0);
  await until(() => sockets.size === 0, "no socket is left");
  server.close();
  await once(server, "close");
});
