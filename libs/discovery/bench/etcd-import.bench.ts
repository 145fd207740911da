/**
 * What importing etcd's part costs over grpc-js alone, each in a fresh process, as the apps run it: bundled.
 * `node libs/discovery/bench/etcd-import.bench.ts [--json]`
 */
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const rounds = 15;

/** Runs in a fresh process: imports, and says what it cost. */
const program = (module: string) => `
  const began = performance.now();
  await import(${JSON.stringify(module)});
  const ms = performance.now() - began;
  globalThis.gc();
  console.log(JSON.stringify({ ms, mb: process.memoryUsage().rss / 2 ** 20 }));
`;

interface Cost {
  readonly ms: number;
  readonly mb: number;
}

function measure(module: string): Cost {
  const args = ["--expose-gc", "--input-type=module", "--eval", program(module)];
  return JSON.parse(execFileSync(process.execPath, args, { cwd: import.meta.dirname, encoding: "utf8" }));
}

const bundle = join(import.meta.dirname, ".etcd-import-bench.cjs");
const entry = fileURLToPath(import.meta.resolve("@grpc-lb/discovery/etcd"));
const flags = ["--bundle", "--platform=node", "--format=cjs", "--minify", "--keep-names", "--log-level=error"];
execFileSync("esbuild", [entry, ...flags, "--external:@grpc/grpc-js", `--outfile=${bundle}`]);
const modules = { alone: "@grpc/grpc-js", bundle: pathToFileURL(bundle).href } as const;
const costs: Record<keyof typeof modules, Cost[]> = { alone: [], bundle: [] };
const names = Object.keys(modules) as (keyof typeof modules)[];
for (const name of names) measure(modules[name]); // fills the disk's cache
for (let n = 0; n < rounds; n++) for (const name of names) costs[name].push(measure(modules[name]));
rmSync(bundle);

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
const over = (key: keyof Cost) =>
  median(costs.bundle.map((cost) => cost[key])) - median(costs.alone.map((cost) => cost[key]));
const rows = [
  { what: "import of etcd's part over grpc-js alone", got: over("ms"), bound: 30, unit: "ms" },
  { what: "memory of it over grpc-js alone", got: over("mb"), bound: 10, unit: "MB" },
].map((row) => ({ ...row, verdict: row.got <= row.bound ? "PASS" : "MISS" }));
if (rows.some(({ verdict }) => verdict === "MISS")) process.exitCode = 1;
if (process.argv.includes("--json")) process.stdout.write(`${JSON.stringify(rows)}\n`);
else {
  for (const { what, got, bound, unit, verdict } of rows) {
    process.stdout.write(`${what.padEnd(52)} ${got.toFixed(2).padStart(9)} ${unit}   <= ${bound}    ${verdict}\n`);
  }
}
