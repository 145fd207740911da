/**
 * What importing a part costs, each in a fresh process, as the apps run it: bundled. etcd's and xDS's over grpc-js alone, which they need
 * and the apps have anyway, the others over bare Node. `node libs/discovery/bench/import.bench.ts [--json]`
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const rounds = 15;
const bounds = { ms: 30, mb: 10 } as const;
/** By the part, over what. */
const parts = {
  etcd: "grpc-js alone",
  xds: "grpc-js alone",
  consul: "bare node",
  dns: "bare node",
  file: "bare node",
} as const;
/** What a part is compared with, and what is imported for it. */
const bases = { "grpc-js alone": "@grpc/grpc-js", "bare node": "node:path" } as const;

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

/** In this folder, as what stays outside of it is looked up from there. */
const folder = mkdtempSync(join(import.meta.dirname, ".import-bench-"));

function bundle(part: string): string {
  const file = join(folder, `${part}.cjs`);
  const entry = fileURLToPath(import.meta.resolve(`@grpc-lb/discovery/${part}`));
  const flags = ["--bundle", "--platform=node", "--format=cjs", "--minify", "--keep-names", "--log-level=error"];
  execFileSync("esbuild", [entry, ...flags, "--external:@grpc/grpc-js", `--outfile=${file}`]);
  return pathToFileURL(file).href;
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

function measureAll(): ReadonlyMap<string, readonly Cost[]> {
  const modules = [...Object.entries(bases), ...Object.keys(parts).map((part) => [part, bundle(part)] as const)];
  for (const [, module] of modules) measure(module); // fills the disk's cache
  const costs = new Map<string, Cost[]>(modules.map(([name]) => [name, []]));
  for (let n = 0; n < rounds; n++) for (const [name, module] of modules) costs.get(name)?.push(measure(module));
  return costs;
}

let costs: ReturnType<typeof measureAll>;
try {
  costs = measureAll();
} finally {
  rmSync(folder, { recursive: true });
}
const rows = Object.entries(parts).flatMap(([part, base]) => {
  const of = (name: string, unit: keyof Cost) => median((costs.get(name) ?? []).map((cost) => cost[unit]));
  return (["ms", "mb"] as const).map((unit) => {
    const got = of(part, unit) - of(base, unit);
    const what = `${unit === "ms" ? "import of" : "memory of"} ${part}'s part over ${base}`;
    return {
      what,
      got,
      bound: bounds[unit],
      unit: unit === "ms" ? "ms" : "MB",
      verdict: got <= bounds[unit] ? "PASS" : "MISS",
    };
  });
});
if (rows.some(({ verdict }) => verdict === "MISS")) process.exitCode = 1;
if (process.argv.includes("--json")) process.stdout.write(`${JSON.stringify(rows)}\n`);
else {
  for (const { what, got, bound, unit, verdict } of rows) {
    process.stdout.write(`${what.padEnd(52)} ${got.toFixed(2).padStart(9)} ${unit}   <= ${bound}    ${verdict}\n`);
  }
}
