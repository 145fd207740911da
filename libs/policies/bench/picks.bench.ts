/**
 * What a pick costs: `node picks.bench.ts [--json] [--policies random,maglev]`. Each policy in a fresh process, as a client
 * has one policy and not ten; over endpoints that are all READY, without a network.
 */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { choosePolicies, roundRobin } from "./cases.ts";
import type { Picks } from "./picks-of.ts";
import { type Figure, type Row, report } from "./table.ts";

const bounds = [
  { endpoints: 3, ns: 300 },
  { endpoints: 1_000, ns: 1_000 },
] as const;
/** Beyond the result: nothing, but the means are not exact. The smallest object that there is, a number, takes 16. */
const byteBound = 8;

function measure(name: string, endpoints: number): Picks {
  const program = join(import.meta.dirname, "picks-of.ts");
  return JSON.parse(execFileSync(process.execPath, [program, name, String(endpoints)], { encoding: "utf8" }));
}

const rows: (Row | Figure)[] = [];
const chosen = choosePolicies();
for (const { endpoints, ns } of bounds) {
  const among = `among ${endpoints}`;
  const reference = measure(roundRobin, endpoints);
  const counted = measure("bench_counted", endpoints);
  const uncounted = measure("bench_uncounted", endpoints);
  rows.push({
    name: `${roundRobin}, pick ${among}`,
    value: reference.pickNs,
    unit: " ns",
    detail: `its result takes ${Math.round(reference.bytes)} bytes; one of this library ${Math.round(uncounted.bytes)}, or ${Math.round(counted.bytes)} with a count`,
  });
  for (const name of chosen) {
    const { pickNs, callNs, bytes } = measure(name, endpoints);
    const result = callNs === null ? uncounted.bytes : counted.bytes;
    const call = callNs === null ? "" : `; pick, start and end ${Math.round(callNs)} ns`;
    rows.push(
      {
        name: `${name}, pick ${among}`,
        value: pickNs,
        unit: " ns",
        bound: ns,
        sense: "<=",
        detail: `${(pickNs / reference.pickNs).toFixed(1)} × ${roundRobin}${call}`,
      },
      {
        name: `${name}, allocated ${among}`,
        value: Math.max(0, Math.round(bytes - result)),
        unit: " B",
        bound: byteBound,
        sense: "<=",
        detail: `beyond the ${Math.round(result)} bytes of the result`,
      },
    );
  }
}
report(rows);
