import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { afterEach, test } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { Pod } from "@grpc-lb/protos/pod/v1";
import { createReadiness, createWorkload } from "../testing/workload.ts";
import { listenGrpc } from "./grpc.ts";
import { listenHttp } from "./http.ts";
import { warmUp } from "./warm-up.ts";

const never = new AbortController().signal;
const pod = Pod.fromPartial({ name: "server-1" });

afterEach(assertNothingLeft);

for (const host of ["127.0.0.1", ""]) {
  test(`every method of a server on "${host}" is called, and nothing is left`, async () => {
    const { workload, meter, clock, loadReports } = createWorkload();
    const readiness = createReadiness();
    const http = await listenHttp(pod, readiness, workload, { host, port: 0 });
    const grpc = await listenGrpc(pod, readiness, workload, { host, port: 0, maxConnectionAgeMs: 0, loadReports });
    await warmUp({ host, httpPort: http.port, grpcPort: grpc.port, hasLoadReports: true, signal: never });
    clock.advance(500);
    assert.ok(meter.read().callsPerSecond >= 4, "GetPod and GET /pod were called twice at least");
    await Promise.all([http.close(), grpc.close()]);
  });
}

test("a server that accepts connections and never answers: the signal ends the warm-up", async () => {
  const mute = createServer((socket) => socket.on("error", () => {}).resume()).listen(0, "127.0.0.1");
  await once(mute, "listening");
  const { port } = mute.address() as AddressInfo;
  const timeout = AbortSignal.timeout(100);
  const ports = { host: "127.0.0.1", httpPort: port, grpcPort: port, hasLoadReports: false };
  await assert.rejects(warmUp({ ...ports, signal: timeout }));
  await assert.rejects(warmUp({ ...ports, signal: AbortSignal.abort() }));
  mute.close();
});

test("a port where nothing listens is an error", async () => {
  const ports = { host: "127.0.0.1", httpPort: 1, grpcPort: 1, hasLoadReports: false };
  await assert.rejects(warmUp({ ...ports, signal: never }), /ECONNREFUSED/);
});
