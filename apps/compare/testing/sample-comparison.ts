import type { ComparePage } from "./compare-page.ts";

const sampleActions = [
  { name: "start", label: "+ pod", key: "+", help: "Starts a pod" },
  { name: "drain", label: "− pod", key: "-", help: "Drains the newest pod" },
  { name: "kill", label: "Kill", key: "k", help: "Kills the oldest pod" },
  { name: "freeze", label: "Freeze", key: "f", help: "Freezes the oldest pod" },
  { name: "slow", label: "Slow", key: "s", help: "Slows the oldest pod" },
  { name: "replace", label: "Rolling", key: "r", help: "Replaces every pod" },
  { name: "outage", label: "Outage", key: "o", help: "Stops the registries" },
] as const;

const clients = [
  { name: "http", way: "HTTP via the Service", rule: "random" },
  { name: "clusterip", way: "gRPC via the Service", rule: "random" },
  { name: "round_robin", way: "gRPC to a list of pods", rule: "round_robin" },
  { name: "resolver", way: "gRPC to watched pods", rule: "round_robin" },
] as const;

/** Four clients that do what the strategies of these names do, without their processes. */
export class SampleComparison {
  readonly actions = sampleActions;
  readonly #page: ComparePage;
  readonly #pods: number;
  #call = 0;

  /** Declares clients and pods, more than six of them on so many `nodes`, and `more` clients that make no calls. */
  constructor(page: ComparePage, pods: number, more = 0, nodes = 4) {
    this.#page = page;
    this.#pods = pods;
    page.write({ t: "hello", title: "Where do the calls go?", actions: sampleActions });
    for (const client of clients) page.write({ t: "client", why: "", ...client });
    for (let n = 1; n <= more; n++)
      page.write({ t: "client", name: `loadbalancer-${n}`, way: "gRPC via a proxy", why: "", rule: "random" });
    for (let n = 1; n <= pods; n++) {
      const node = `ip-10-0-12-${n % nodes}.eu-west-1.compute.internal`;
      const place = pods > 6 ? { node, zone: `eu-west-1${"ab"[(n % nodes) % 2]}` } : {};
      page.write({ t: "pod", pod: `server-${n}`, state: "ready", ...place });
    }
    this.#event("clusterip", { event: "connection-opened", connection: 1, peer: "10.96.0.10:30051" });
    for (const name of ["round_robin", "resolver"]) {
      for (let n = 1; n <= pods; n++) {
        this.#event(name, { event: "connection-opened", connection: n, peer: `10.244.0.${n}:30051` });
      }
    }
  }

  /** Reports `count` calls of all clients together; every hundredth fails. */
  call(count: number): void {
    for (let n = 0; n < count; n++) {
      const call = ++this.#call;
      const { name } = clients[call % clients.length] ?? clients[0];
      const turn = (Math.floor(call / clients.length) % this.#pods) + 1;
      if (name === "http") this.#callOnce(call, turn);
      else {
        const pod = name === "clusterip" ? 2 : turn;
        const outcome = call % 100 === 1 ? { error: "GetPod server: DEADLINE_EXCEEDED" } : { pod: `server-${pod}` };
        this.#event(name, {
          event: "call",
          ms: 10 + (call % 7),
          ...outcome,
          connection: name === "clusterip" ? 1 : pod,
        });
      }
    }
  }

  #callOnce(connection: number, pod: number): void {
    this.#event("http", { event: "connection-opened", connection, peer: "10.96.0.10:8080" });
    this.#event("http", { event: "call", ms: 3, pod: `server-${pod}`, connection });
    this.#event("http", { event: "connection-closed", connection });
  }

  #event(client: string, event: Readonly<Record<string, unknown>>): void {
    this.#page.write({ t: "line", client, line: JSON.stringify(event) });
  }
}
