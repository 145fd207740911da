/**
 * A server of the benches: `node server.ts [--name a] [--service-ms 5] [--concurrency 4] [--orca]`. It works on so many calls
 * at once, each for so long, and lets the others wait; without a service time it answers at once.
 */
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Metadata, Server, ServerCredentials } from "@grpc/grpc-js";
import { type PodServiceServer, PodServiceService } from "@grpc-lb/protos/pod/v1";
import { OrcaLoadReport } from "@grpc-lb/protos/xds/data/orca/v3";

const { values: flags } = parseArgs({
  options: {
    name: { type: "string", default: "" },
    "service-ms": { type: "string", default: "0" },
    concurrency: { type: "string", default: "4" },
    orca: { type: "boolean", default: false },
  },
});
const serviceMs = Number(flags["service-ms"]);
const pod = { name: flags.name, namespace: "", node: "", zone: "", ip: "", version: "" };

let free = Number(flags.concurrency);
const waiting: (() => void)[] = [];

async function work(): Promise<void> {
  if (serviceMs === 0) return;
  if (free === 0) await new Promise<void>((resolve) => waiting.push(resolve));
  else free -= 1;
  await delay(serviceMs);
  const next = waiting.shift();
  if (next) next();
  else free += 1;
}

// Not by `grpc.server_call_metric_recording`: grpc-js 1.14 loads its .proto files for each call, at most a hundred calls per second.
const trailer = new Metadata();
if (flags.orca) {
  const load = { cpuUtilization: 0.4, rpsFractional: 100 };
  trailer.set(
    "endpoint-load-metrics-bin",
    Buffer.from(OrcaLoadReport.encode(OrcaLoadReport.fromPartial(load)).finish()),
  );
}

const service: PodServiceServer = {
  getPod: async (_call, callback) => {
    await work();
    callback(null, { pod }, trailer);
  },
};

const server = new Server();
server.addService(PodServiceService, service);
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  process.stdout.write(`${JSON.stringify({ port })}\n`);
});
