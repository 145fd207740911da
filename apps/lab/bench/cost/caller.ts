/**
 * A client of the cost benchmark, in a process of its own so that its processor time is its own. Each line of its input is a
 * request, such as `{"inFlight":64,"ms":500}`: that many calls are kept in flight for so long. Each answer is one line of JSON.
 *
 *   node caller.ts <target> <service config>
 */
import { createInterface } from "node:readline";
import { credentials, Metadata } from "@grpc/grpc-js";
import { registerPolicies } from "@grpc-lb/policies";
import { PodServiceClient } from "@grpc-lb/protos/pod/v1";
import type { Slice, SliceRequest } from "./slice.ts";

const connectTimeoutMs = 20_000;
const callTimeoutMs = 10_000;

registerPolicies();
const [target = "", serviceConfig = "{}"] = process.argv.slice(2);
const client = new PodServiceClient(target, credentials.createInsecure(), {
  "grpc.service_config": serviceConfig,
  "grpc.service_config_disable_resolution": 1,
  "grpc.enable_http_proxy": 0,
});
const noMetadata = new Metadata();

async function measure({ inFlight, ms }: SliceRequest): Promise<Slice> {
  const latenciesUs: number[] = [];
  const beganMs = performance.now();
  const usage = process.cpuUsage();
  const caller = async () => {
    for (let nowMs = performance.now(); nowMs - beganMs < ms; ) {
      const sentMs = nowMs;
      await call();
      nowMs = performance.now();
      latenciesUs.push((nowMs - sentMs) * 1_000);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  const { user, system } = process.cpuUsage(usage);
  const seconds = (performance.now() - beganMs) / 1_000;
  latenciesUs.sort((a, b) => a - b);
  const at = (part: number) => latenciesUs[Math.floor((latenciesUs.length - 1) * part)] ?? Number.NaN;
  return {
    calls: latenciesUs.length,
    callsPerSecond: latenciesUs.length / seconds,
    p50Us: at(0.5),
    p99Us: at(0.99),
    cpuUs: user + system,
    rssBytes: process.memoryUsage.rss(),
  };
}

const call = () =>
  new Promise<void>((resolve, reject) => {
    client.getPod({}, noMetadata, { deadline: Date.now() + callTimeoutMs }, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });

client.waitForReady(Date.now() + connectTimeoutMs, async (failure) => {
  if (failure) throw failure;
  process.stdout.write("ready\n");
  for await (const line of createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await measure(JSON.parse(line)))}\n`);
  }
  client.close();
});
