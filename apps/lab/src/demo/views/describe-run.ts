import type { Strategy } from "../strategies.ts";

const numbers = ["No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight"] as const;

/** What a run is about, and what there is to see in it: two sentences, the first without a full stop. */
export function describeRun(strategies: readonly Strategy[], pods: number): readonly [string, string] {
  const title = strategies.some(({ name }) => name === "clusterip")
    ? "gRPC behind a Kubernetes Service: one pod gets every call"
    : "Calls to the same pods, which clients find in different ways";
  const count = strategies.length;
  if (count === 1) return [title, `One client calls ${pods} pods.`];
  const clients = numbers[count] ?? String(count);
  return [title, `${clients} clients call the same ${pods} pods; only their way to connect differs.`];
}
