import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { formatDuration } from "@grpc-lb/core";
import type { BalanceRule, VerdictWord } from "@grpc-lb/verdict";
import type { PodPolicy } from "./expectations.ts";
import type { RegistryName, RegistryTargets } from "./registries/registry.ts";

/** What a client may be pointed at. */
export interface Addresses {
  /** The Service: the ports of the proxies in front of all pods. */
  readonly serviceHttpPort: number;
  readonly serviceGrpcPort: number;
  /** The pods themselves. */
  readonly podGrpcPorts: readonly number[];
  /** A kubeconfig of the API server that knows the pods. */
  readonly kubeconfig: string;
  /** Of the DNS server that knows the pods, on 127.0.0.1. */
  readonly dnsPort: number;
  /** A file in which the pods stand. */
  readonly endpointsFile: string;
  /** The registries in which the pods stand. */
  readonly registries: RegistryTargets;
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
  /** The registry that must run for it; undefined when none must. */
  readonly registry?: RegistryName;
  /** The client's .ts file. */
  readonly main: string;
  args(addresses: Addresses): readonly string[];
  /** What the client finds in its environment beside PATH. */
  env?(addresses: Addresses): Readonly<Record<string, string>>;
}

const httpMain = join(import.meta.dirname, "../../../client-http/src/main.ts");
const grpcMain = join(import.meta.dirname, "../../../client-grpc/src/main.ts");
const onLoopback = (port: number) => `127.0.0.1:${port}`;

/**
 * The ways to call the pods that the lab compares, in the order in which they are shown: what works by chance, what does not,
 * what cures it. Where the client knows the pods, it chooses among them by the policy given.
 */
export function createStrategies(policy: PodPolicy): readonly Strategy[] {
  const { name, rule, expected, why } = policy;
  const connections = name === "pick_first" ? "to the first reached" : "one connection per pod";
  const watched = { connections, rule, expected, main: grpcMain };
  // That policy is what the client takes by itself when it has a source of pods.
  const chosen = name === "round_robin" ? [] : policyArgs(policy);
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
      ...watched,
      name,
      way: "gRPC to a list of pods",
      why,
      args: ({ podGrpcPorts }) => ["--target", `ipv4:${podGrpcPorts.map(onLoopback).join(",")}`, ...policyArgs(policy)],
    },
    {
      ...watched,
      name: "resolver",
      way: "gRPC to watched pods",
      why: "The client watches the pods of the Service: a new one is called at once.",
      args: () => ["--target", "kubernetes:///server.default:grpc", ...chosen],
      env: ({ kubeconfig }) => ({ KUBECONFIG: kubeconfig }),
    },
    {
      ...watched,
      name: "etcd",
      way: "gRPC to keys in etcd",
      why: "The servers put themselves into etcd; the client watches their keys.",
      registry: "etcd",
      args: ({ registries }) => ["--target", registries.etcd ?? "", ...chosen],
    },
    {
      ...watched,
      name: "consul",
      way: "gRPC by Consul",
      why: "The servers register in Consul, which tells the client of every change.",
      registry: "consul",
      args: ({ registries }) => ["--target", registries.consul ?? "", ...chosen],
    },
    {
      ...watched,
      name: "dns-poll",
      way: "gRPC by a name in DNS",
      why: "The client looks the SRV records up again, as often as their TTL says.",
      args: ({ dnsPort }) => ["--target", `dns-poll://${onLoopback(dnsPort)}/server.lab:grpc`, ...chosen],
    },
    {
      ...watched,
      name: "file",
      way: "gRPC to pods in a file",
      why: "The pods stand in a YAML file, and the client watches it.",
      args: ({ endpointsFile }) => ["--target", pathToFileURL(endpointsFile).href, ...chosen],
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
