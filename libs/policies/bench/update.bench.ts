/**
 * The cost of an update that changes one of 1 000 endpoints, and of the first call after it, which may build a table, relative to
 * grpc-js's round_robin, which creates all its children again: `node update.bench.ts [--json] [--policies random,maglev]`. All
 * connections are READY, including that of the new endpoint.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Metadata } from "@grpc/grpc-js";
import type { GrpcEndpoint } from "../src/grpc-js.ts";
import type { FakeChannel } from "../testing/fake-channel.ts";
import {
  choosePolicies,
  createEndpoints,
  createSessions,
  endpointAt,
  openChannel,
  policyOf,
  roundRobin,
} from "./cases.ts";
import { median, type Row, report } from "./table.ts";

setFlagsFromString("--expose-gc");
const gc = runInNewContext("gc") as (options: { type: "minor" }) => void;

const count = 1_000;
const rounds = 25;
const updates = 4;

const changes: Readonly<Record<string, GrpcEndpoint>> = {
  "another weight": endpointAt(500, 7),
  "another endpoint": endpointAt(count, 1),
};

const [metadata = new Metadata()] = createSessions(1);

/** Milliseconds of one update and the call after it, each of which takes back what the one before has changed. */
function measure(channel: FakeChannel, lists: readonly (readonly GrpcEndpoint[])[]): number {
  gc({ type: "minor" }); // no measurement pays for the garbage of another
  const began = performance.now();
  for (let n = 0; n < updates; n++) {
    channel.update(lists[n % lists.length] ?? []);
    channel.pick(metadata);
  }
  const took = performance.now() - began;
  channel.published.length = 0;
  return took / updates;
}

const rows: Row[] = [];
for (const name of choosePolicies()) {
  for (const [change, changed] of Object.entries(changes)) {
    const endpoints = createEndpoints(count);
    const lists = [createEndpoints(count).with(500, changed), endpoints]; // all objects are new, as after a new list
    const [own, reference] = [name, roundRobin].map((each) => openChannel(policyOf(each), endpoints, [changed]));
    if (!own || !reference) throw new Error("there are two");
    for (let n = 0; n < 10; n++) for (const channel of [own, reference]) measure(channel, lists); // the compiler warms up
    const times = Array.from({ length: rounds }, () => {
      const [a, b, c, d] = [own, reference, reference, own].map((channel) => measure(channel, lists));
      return { own: ((a ?? 0) + (d ?? 0)) / 2, reference: ((b ?? 0) + (c ?? 0)) / 2 };
    });
    for (const channel of [own, reference]) channel.balancer.destroy();
    const ms = (key: "own" | "reference") => median(times.map((time) => time[key])).toFixed(2);
    rows.push({
      name: `${name} ÷ ${roundRobin}, ${change}`,
      value: median(times.map((time) => time.own / time.reference)),
      unit: "",
      bound: 1,
      sense: "<=",
      detail: `${ms("own")} ms, ${roundRobin} ${ms("reference")} ms`,
    });
  }
}
report(rows);
