/**
 * What runs between an event of a watch and the snapshot that it makes: `node libs/discovery/bench/event-path.bench.ts [--json]`.
 * Counts the functions and files of discovery and core that one EndpointSlice event calls, by V8's precise coverage.
 */
import { Session } from "node:inspector/promises";
import type { Snapshot } from "../src/core/snapshot.ts";
import { createKubernetesSource } from "../src/kubernetes/index.ts";
import { FakeApiServer, slice } from "../testing/index.ts";

const rooms = ["../src/", "../../core/src/"].map((path) => new URL(path, import.meta.url).href);
const api = await FakeApiServer.start();
const addresses = Array.from({ length: 3 }, (_, n) => `10.0.0.${n + 1}`);
api.putSlice(slice({ service: "s", addresses }));
let latest: Snapshot | undefined;
let wake = () => {};
const subscription = createKubernetesSource({ service: "s", port: "grpc", access: api.access }).subscribe(
  (snapshot) => {
    latest = snapshot;
    wake();
  },
);
const until = async (count: number) => {
  while (latest?.endpoints?.length !== count) await new Promise<void>((resolve) => (wake = resolve));
};
await until(3);
await api.until(({ openWatches }) => openWatches >= 2);
// The first event compiles what the second one runs.
api.putSlice(slice({ service: "s", addresses: addresses.slice(1) }));
await until(2);
await new Promise((resolve) => setTimeout(resolve, 1_500)); // what a watch does once it is steady is no part of an event

const session = new Session();
session.connect();
await session.post("Profiler.enable");
await session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: false });
await session.post("Profiler.takePreciseCoverage");
api.putSlice(slice({ service: "s", addresses }));
await until(3);
const { result } = await session.post("Profiler.takePreciseCoverage");
session.disconnect();
await subscription.close();
await api.close();

const files = result
  .filter(({ url }) => rooms.some((room) => url.startsWith(room)))
  .map(({ url, functions }) => ({
    file: url.replace(/^.*\/libs\//, ""),
    functions: functions.filter(({ ranges }) => (ranges[0]?.count ?? 0) > 0).map(({ functionName }) => functionName),
  }))
  .filter(({ functions }) => functions.length > 0);
const inDiscovery = files.filter(({ file }) => file.startsWith("discovery/"));
const count = (some: typeof files) => some.reduce((sum, { functions }) => sum + functions.length, 0);
const bounds = { functions: 25, files: 8 };
const isMet = count(inDiscovery) <= bounds.functions && inDiscovery.length <= bounds.files;
if (!isMet) process.exitCode = 1;
if (process.argv.includes("--json")) {
  const discovery = { functions: count(inDiscovery), files: inDiscovery.length };
  process.stdout.write(`${JSON.stringify({ functions: count(files), discovery, bounds, files })}\n`);
} else {
  for (const { file, functions } of files) {
    process.stdout.write(`${file.padEnd(38)} ${functions.map((name) => name || "(anonymous)").join(", ")}\n`);
  }
  const found = `${count(inDiscovery)} functions in ${inDiscovery.length} files of discovery`;
  const bound = `<= ${bounds.functions} in ${bounds.files}  ${isMet ? "PASS" : "MISS"}`;
  process.stdout.write(`${found}  ${bound}\n${count(files)} functions in ${files.length} files with core\n`);
}
