import { join } from "node:path";
import { formatDuration } from "@grpc-lb/runtime";
import type { BalanceRule, VerdictWord } from "@grpc-lb/runtime/verdict";
import type { PodPolicy } from "./pod-policy.ts";

/** What a client may be pointed at. */
export interface Addresses {
  /** The Service: the ports of the proxies in front of all pods. */
  readonly serviceHttpPort: number;
  readonly serviceGrpcPort: number;
  /** The pods themselves. */
  readonly podGrpcPorts: readonly number[];
  /** A kubeconfig of the API server that knows the pods. */
  readonly kubeconfig: string;
}

/** A way to call the pods, what it is expected to show, and why. */
export interface Strategy {
  readonly name: string;
  /** What it is, in two parts of at most 22 characters: the protocol and way, then the connections. */
  readonly way: string;
  readonly connections: string;
  /** How its calls are judged, and the words of which it must earn one. */
  readonly rule: BalanceRule;
  readonly expected: readonly VerdictWord[];
  /** Why that is what one gets. */
  readonly why: string;
  /** The client's .ts file. */
  readonly main: string;
  args(addresses: Addresses): readonly string[];
  /** What the client finds in its environment beside PATH. */
  env?(addresses: Addresses): Readonly<Record<string, string>>;
}

const httpMain = join(import.meta.dirname, "../../client-http/src/main.ts");
const grpcMain = join(import.meta.dirname, "../../client-grpc/src/main.ts");
const onLoopback = (port: number) => `127.0.0.1:${port}`;

/**
 * The ways to call the pods that the lab compares, in the order in which they are shown: what works by chance, what does not,
 * what cures it. Where the client knows the pods, it chooses among them by the policy given.
 */
export function createStrategies(policy: PodPolicy): readonly Strategy[] {
  const { name, rule, expected, why } = policy;
  return [
    {
      name: "http",
      way: "HTTP via the Service",
      connections: "a connection per call",
      rule: "random",
      expected: ["BALANCED"],
      why: "Each call opens a connection; for each one the Service picks a pod.",
      main: httpMain,
      args: ({ serviceHttpPort }) => ["--target", `http://${onLoopback(serviceHttpPort)}/pod`],
    },
    {
      name: "clusterip",
      way: "gRPC via the Service",
      connections: "one connection for all",
      rule: "random",
      expected: ["PINNED"],
      why: "One HTTP/2 connection carries every call; its pod was picked only once.",
      main: grpcMain,
      args: ({ serviceGrpcPort }) => ["--target", onLoopback(serviceGrpcPort)],
    },
    {
      name,
      way: "gRPC to a list of pods",
      connections: name === "pick_first" ? "to the first reached" : "one connection per pod",
      rule,
      expected,
      why,
      main: grpcMain,
      args: ({ podGrpcPorts }) => ["--target", `ipv4:${podGrpcPorts.map(onLoopback).join(",")}`, ...policyArgs(policy)],
    },
    {
      name: "resolver",
      way: "gRPC to watched pods",
      connections: name === "pick_first" ? "to the first reached" : "one connection per pod",
      rule,
      expected,
      why: "The same, with pods that the client watches: a new one is called at once.",
      main: grpcMain,
      // That policy is what the client takes for such a target by itself.
      args: () => [
        "--target",
        "kubernetes:///server.default:grpc",
        ...(name === "round_robin" ? [] : policyArgs(policy)),
      ],
      env: ({ kubeconfig }) => ({ KUBECONFIG: kubeconfig }),
    },
  ];
}

function policyArgs({ name, config }: PodPolicy): readonly string[] {
  return ["--policy", config ? `${name}${JSON.stringify(config)}` : name];
}

/** The flags that every client takes. */
export function clientArgs(strategy: Strategy, addresses: Addresses, intervalMs: number): readonly string[] {
  return [...strategy.args(addresses), "--interval", formatDuration(intervalMs)];
}
