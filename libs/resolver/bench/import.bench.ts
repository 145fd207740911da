/** What importing the resolver costs over grpc-js alone, each in a fresh process; and that client-node stays out of it. */
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { median, report } from "./table.ts";

const rounds = 15;

/** Runs in a fresh process: imports, and prints the cost. */
const program = (module: string) => `
  const began = performance.now();
  await import(${JSON.stringify(module)});
  const ms = performance.now() - began;
  globalThis.gc();
  console.log(JSON.stringify({ ms, rss: process.memoryUsage().rss / 2 ** 20 }));
`;

interface Cost {
  readonly ms: number;
  readonly rss: number;
}

function measure(module: string): Cost {
  const args = ["--expose-gc", "--input-type=module", "--eval", program(module)];
  return JSON.parse(execFileSync(process.execPath, args, { cwd: import.meta.dirname, encoding: "utf8" }));
}

// The bound is for the cluster, where the apps run as bundles like that of k8s/bundle.ts. From source, which has no bound, Node strips the types of some forty files, and loads the code that does it.
const bundle = join(import.meta.dirname, ".import-bench.cjs");
const externals = ["@grpc/grpc-js", "@kubernetes/client-node", "openid-client"].map((name) => `--external:${name}`);
const entry = fileURLToPath(import.meta.resolve("@grpc-lb/resolver"));
const flags = ["--bundle", "--platform=node", "--format=cjs", "--minify", "--keep-names", "--log-level=error"];
execFileSync("esbuild", [entry, ...flags, ...externals, `--outfile=${bundle}`]);

const modules = { alone: "@grpc/grpc-js", bundle: pathToFileURL(bundle).href, source: "@grpc-lb/resolver" } as const;
const costs: Record<keyof typeof modules, Cost[]> = { alone: [], bundle: [], source: [] };
const names = Object.keys(modules) as (keyof typeof modules)[];
for (const name of names) measure(modules[name]); // fills the disk's cache
for (let n = 0; n < rounds; n++) for (const name of names) costs[name].push(measure(modules[name]));
rmSync(bundle);

/** The modules that are loaded, as the loader's own trace names them. */
const trace = execFileSync(
  process.execPath,
  [
    "--input-type=module",
    "--eval",
    `import { registerHooks } from "node:module";
     let found = 0;
     registerHooks({ load(url, context, next) { if (url.includes("@kubernetes/client-node")) found += 1; return next(url, context); } });
     const { registerResolvers } = await import("@grpc-lb/resolver");
     registerResolvers();
     console.log(found);`,
  ],
  { cwd: import.meta.dirname, encoding: "utf8" },
);

const cost = (name: keyof typeof costs, key: keyof Cost) => median(costs[name].map((each) => each[key]));
const over = (name: keyof typeof costs, key: keyof Cost, unit: string) => ({
  value: cost(name, key) - cost("alone", key),
  unit,
  detail: `${cost(name, key).toFixed(1)}${unit}, grpc-js alone ${cost("alone", key).toFixed(1)}${unit}`,
});
const [bundled, stripped] = ["as in cluster: bundled", "from source: types stripped"];
report([
  { name: `import over grpc-js alone, ${bundled}`, ...over("bundle", "ms", " ms"), bound: 30, sense: "<=" },
  { name: `memory over grpc-js alone, ${bundled}`, ...over("bundle", "rss", " MB"), bound: 10, sense: "<=" },
  { name: `import over grpc-js alone, ${stripped}`, ...over("source", "ms", " ms") },
  { name: `memory over grpc-js alone, ${stripped}`, ...over("source", "rss", " MB") },
  {
    name: "modules of @kubernetes/client-node that are loaded",
    value: Number(trace),
    unit: "",
    bound: 0,
    sense: "=",
    detail: "after registerResolvers()",
  },
]);
