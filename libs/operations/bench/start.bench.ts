/**
 * What `--admin-port` costs a client: the size of the file in its image that only this flag and `--otlp-endpoint` read, and the processor
 * time of a start with one call, as the difference of runs with the flag and without it. As the program of its image, and from the sources
 * with NODE_COMPILE_CACHE, as on a developer's machine: `node libs/operations/bench/start.bench.ts [--json]`
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startProgram } from "@grpc-lb/program/testing";

const rounds = 15;
const bounds = { megabytes: 1.5, startMs: 50 };
const root = join(import.meta.dirname, "../../..");
const clients = ["client-grpc", "client-http"] as const;

const folder = mkdtempSync(join(tmpdir(), "grpc-lb-start-"));
const reporter = join(folder, "report.cjs");
writeFileSync(
  reporter,
  'process.on("exit", () => { const { user, system } = process.cpuUsage(); console.error("cpu", user + system); });',
);

/** The processor time of a client that makes one call, in milliseconds. */
function start(main: string, args: readonly string[], env: Record<string, string>): number {
  const { stderr } = spawnSync(process.execPath, ["--require", reporter, main, ...args], {
    encoding: "utf8",
    env: { PATH: process.env.PATH, ...env },
    timeout: 30_000,
  });
  const [, us] = /^cpu (\d+)$/m.exec(stderr) ?? [];
  if (us === undefined) throw new Error(`the client did not end by itself: ${stderr}`);
  return Number(us) / 1_000;
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

/** The median of a start without the flag, and of what the flag adds in each of the pairs, which take turns. */
function measure(main: string, args: readonly string[], env: Record<string, string>) {
  const pair = () => {
    const without = start(main, args, env);
    return { without, added: start(main, [...args, "--admin-port=0"], env) - without };
  };
  pair(); // fills the caches
  const pairs = Array.from({ length: rounds }, pair);
  return { withoutMs: median(pairs.map(({ without }) => without)), addedMs: median(pairs.map(({ added }) => added)) };
}

const server = startProgram(join(root, "apps/server/src/main.ts"), ["--http-port=0", "--grpc-port=0"]);
const ports = JSON.parse(await server.line((line) => line.includes('"grpcPort"')));
const results = clients.map((client) => {
  const bundle = spawnSync(process.execPath, ["k8s/bundle.ts", `apps/${client}`], { cwd: root, encoding: "utf8" });
  if (bundle.status !== 0) throw new Error(bundle.stderr);
  const app = join(root, "apps", client, "dist/image/dist/app");
  const megabytes = statSync(join(app, "telemetry.cjs")).size / 1e6;
  const args = [`--target=127.0.0.1:${client === "client-grpc" ? ports.grpcPort : ports.httpPort}`, "--count=1"];
  const image = measure(join(app, "main.cjs"), args, {});
  const sources = measure(join(root, "apps", client, "src/main.ts"), args, { NODE_COMPILE_CACHE: folder });
  return { client, megabytes, image, sources };
});
server.kill("SIGKILL");
await server.exited;
rmSync(folder, { recursive: true });

const isMissed = results.some(
  ({ megabytes, image, sources }) =>
    megabytes > bounds.megabytes || image.addedMs > bounds.startMs || sources.addedMs > bounds.startMs,
);
if (isMissed) process.exitCode = 1;
if (process.argv.includes("--json")) process.stdout.write(`${JSON.stringify({ bounds, results })}\n`);
else {
  const result = (value: number, bound: number) => `bound ${bound}: ${value <= bound ? "PASS" : "MISS"}`;
  for (const { client, megabytes, image, sources } of results) {
    const lines = [`${client}: ${megabytes.toFixed(2)} MB in its image (${result(megabytes, bounds.megabytes)})`];
    for (const [of, { withoutMs, addedMs }] of Object.entries({ image, sources }))
      lines.push(
        `  ${of.padEnd(7)} ${withoutMs.toFixed(0)} ms, with --admin-port ${addedMs.toFixed(0)} ms more (${result(addedMs, bounds.startMs)})`,
      );
    process.stdout.write(`${lines.join("\n")}\n`);
  }
}
