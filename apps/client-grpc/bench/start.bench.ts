/**
 * What metrics and an admin port cost a client in its image: the size of the files that hold them, and the processor time of a start
 * with one call, with them and without: `node apps/client-grpc/bench/start.bench.ts [--json]`. Without the flag nothing of it is loaded.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startProgram } from "@grpc-lb/program/testing";

const rounds = 15;
const bounds = { megabytes: 1.5, startMs: 50 };
const root = join(import.meta.dirname, "../../..");

const bundle = spawnSync(process.execPath, ["k8s/bundle.ts", "apps/client-grpc"], { cwd: root, encoding: "utf8" });
if (bundle.status !== 0) throw new Error(bundle.stderr);
const app = join(root, "apps/client-grpc/dist/image/dist/app");
const bytes = ["telemetry.cjs", "fastify.cjs"].reduce((sum, name) => sum + statSync(join(app, name)).size, 0);

const folder = mkdtempSync(join(tmpdir(), "grpc-lb-start-"));
const reporter = join(folder, "report.cjs");
writeFileSync(
  reporter,
  'process.on("exit", () => { const { user, system } = process.cpuUsage(); console.error("cpu", user + system); });',
);
const server = startProgram(join(root, "apps/server/src/main.ts"), ["--http-port=0", "--grpc-port=0"]);
const { grpcPort } = JSON.parse(await server.line((line) => line.includes('"grpcPort"')));

/** The processor time of a client that makes one call, in milliseconds. */
function start(...flags: string[]): number {
  const args = ["--require", reporter, join(app, "main.cjs"), `--target=127.0.0.1:${grpcPort}`, "--count=1", ...flags];
  const { stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  const [, us] = /^cpu (\d+)$/m.exec(stderr) ?? [];
  if (us === undefined) throw new Error(`the client did not end by itself: ${stderr}`);
  return Number(us) / 1_000;
}

const least = { without: Number.POSITIVE_INFINITY, with: Number.POSITIVE_INFINITY };
for (let round = 0; round < rounds; round++) {
  least.without = Math.min(least.without, start());
  least.with = Math.min(least.with, start("--admin-port=0"));
}
server.kill("SIGKILL");
await server.exited;
rmSync(folder, { recursive: true });

const megabytes = Number((bytes / 1e6).toFixed(2));
const startMs = Number((least.with - least.without).toFixed(1));
const isMissed = megabytes > bounds.megabytes || startMs > bounds.startMs;
if (isMissed) process.exitCode = 1;
if (process.argv.includes("--json")) process.stdout.write(`${JSON.stringify({ megabytes, startMs, ...least })}\n`);
else {
  const result = (value: number, bound: number) => `bound ${bound}: ${value <= bound ? "PASS" : "MISS"}`;
  process.stdout.write(
    `image: ${megabytes} MB for metrics, traces and the admin port (${result(megabytes, bounds.megabytes)})\n` +
      `start: ${startMs} ms of processor time with --admin-port, on ${least.without.toFixed(0)} ms without (${result(startMs, bounds.startMs)})\n`,
  );
}
