import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { formatDuration } from "@grpc-lb/core";
import { type Expectation, expectationOfStrategy } from "@grpc-lb/verdict";
import type { ControlPlanePorts } from "./environment/control-plane.ts";
import { expectationOf } from "./expectations.ts";
import { maxConnectionAgeMs } from "./pods.ts";
import type { ProgramName } from "./programs.ts";
import type { ProxyName, ProxyPorts, ProxyProgram } from "./proxies/l7-proxy.ts";
import type { RegistryTargets } from "./registries/registry.ts";

/** The addresses from which a strategy builds its client's target. All ports are of 127.0.0.1. */
export interface Addresses {
  /** The ports of the Service. */
  readonly serviceHttpPort: number;
  readonly serviceGrpcPort: number;
  /** The same for servers that end connections by age. */
  readonly serviceAgingPort: number;
  /** The Service's port of a node, and the load balancer in front of the nodes. */
  readonly nodePort: number;
  readonly loadBalancerPort: number;
  /** The gRPC port of each pod. */
  readonly podGrpcPorts: readonly number[];
  /** The path of a kubeconfig for the Kubernetes API that has the pods. */
  readonly kubeconfig: string;
  /** The port of the DNS server that has the pods. */
  readonly dnsPort: number;
  /** The path of the YAML file that lists the pods. */
  readonly endpointsFile: string;
  /** The registries that the pods are registered at. */
  readonly registries: RegistryTargets;
  /** The proxies in front of the pods. */
  readonly proxies: ProxyPorts;
  /** The ports of the control plane, which runs if a strategy needs it. */
  readonly controlPlane: ControlPlanePorts;
}

/**
 * How a strategy learns of a new pod, or of one that is gone: at the next connection; only when its one connection breaks;
 * never; when that one connection has reached its age; at once, as a watch; at the next poll; a proxy learns for it.
 */
export type Learning = "connection" | "break" | "never" | "age" | "watch" | "poll" | "proxy";

/** A way for a client to find and call the pods, and the verdict that the demo expects. */
export interface Strategy extends Expectation {
  readonly name: string;
  /** The protocol and how pods are found, in at most 22 characters. */
  readonly way: string;
  /** How connections are used, in at most 22 characters. */
  readonly connections: string;
  readonly learning: Learning;
  /** The program of the registry or proxy that the strategy needs; undefined when it needs none. */
  readonly program?: ProgramName;
  /** The proxy that runs it. */
  readonly proxy?: ProxyName;
  /** Which program has the pods from the control plane: the client, or the proxy that it calls. Default: none. */
  readonly xdsClient?: "client" | "proxy";
  /** The client's .ts file. */
  readonly main: string;
  /** The client's flags that depend on the strategy. */
  args(addresses: Addresses): readonly string[];
  /** The client's environment variables. Default: none. */
  env?(addresses: Addresses): Readonly<Record<string, string>>;
}

const httpMain = join(import.meta.dirname, "../../../client-http/src/main.ts");
const grpcMain = join(import.meta.dirname, "../../../client-grpc/src/main.ts");
const onLoopback = (port: number) => `127.0.0.1:${port}`;

/**
 * Creates all strategies of the demo, in the order in which they are shown. This is the one list of them.
 *
 * @param policy the load balancing policy of the clients that know the pods; it is also the name of the third strategy
 */
export function createStrategies(policy: string): readonly Strategy[] {
  const { rule, expected, why, config } = expectationOf(policy);
  const connections = policy === "pick_first" ? "to the first reached" : "one connection per pod";
  const toPods = { connections, rule, expected, main: grpcMain };
  const policyArgs = ["--policy", config ? `${policy}${JSON.stringify(config)}` : policy];
  // round_robin is the client's default for targets of discovery.
  const policyArgsUnlessDefault = policy === "round_robin" ? [] : policyArgs;
  return [
    {
      ...expectationOfStrategy("http"),
      name: "http",
      learning: "connection",
      way: "HTTP via the Service",
      connections: "a connection per call",
      main: httpMain,
      args: ({ serviceHttpPort }) => ["--target", `http://${onLoopback(serviceHttpPort)}/pod`],
    },
    {
      ...expectationOfStrategy("clusterip"),
      name: "clusterip",
      learning: "break",
      way: "gRPC via the Service",
      connections: "one connection for all",
      main: grpcMain,
      args: ({ serviceGrpcPort }) => ["--target", onLoopback(serviceGrpcPort)],
    },
    {
      ...toPods,
      name: policy,
      learning: "never",
      way: "gRPC to a list of pods",
      why,
      args: ({ podGrpcPorts }) => ["--target", `ipv4:${podGrpcPorts.map(onLoopback).join(",")}`, ...policyArgs],
    },
    {
      ...toPods,
      name: "resolver",
      learning: "watch",
      way: "gRPC to watched pods",
      why: "The client watches the pods of the Service: a new one is called at once.",
      args: () => ["--target", "kubernetes:///server.default:grpc", ...policyArgsUnlessDefault],
      env: ({ kubeconfig }) => ({ KUBECONFIG: kubeconfig }),
    },
    {
      ...toPods,
      name: "etcd",
      learning: "watch",
      way: "gRPC to keys in etcd",
      why: "The servers register in etcd, and the client watches their keys.",
      program: "etcd",
      args: ({ registries }) => ["--target", registries.etcd ?? "", ...policyArgsUnlessDefault],
    },
    {
      ...toPods,
      name: "consul",
      learning: "watch",
      way: "gRPC to Consul",
      why: "The servers register in Consul, and the client watches the service.",
      program: "consul",
      args: ({ registries }) => ["--target", registries.consul ?? "", ...policyArgsUnlessDefault],
    },
    {
      ...toPods,
      name: "dns-poll",
      learning: "poll",
      way: "gRPC to SRV records",
      why: "The client polls the SRV records at their TTL.",
      args: ({ dnsPort }) => [
        "--target",
        // After a failed query the client waits at most as long as `refresh`.
        `dns-poll://${onLoopback(dnsPort)}/server.lab:grpc?refresh=2s`,
        ...policyArgsUnlessDefault,
      ],
    },
    {
      ...toPods,
      name: "file",
      learning: "watch",
      way: "gRPC to pods in a file",
      why: "A YAML file lists the pods, and the client watches it.",
      args: ({ endpointsFile }) => ["--target", pathToFileURL(endpointsFile).href, ...policyArgsUnlessDefault],
    },
    {
      ...expectationOfStrategy("max-age"),
      name: "max-age",
      learning: "age",
      way: "gRPC via the Service",
      connections: `a connection for ${formatDuration(maxConnectionAgeMs)}`,
      main: grpcMain,
      args: ({ serviceAgingPort }) => ["--target", onLoopback(serviceAgingPort)],
    },
    throughProxy("envoy", "envoy", "gRPC via Envoy"),
    throughProxy("nginx", "nginx", "gRPC via nginx"),
    throughProxy("haproxy", "haproxy", "gRPC via HAProxy"),
    throughProxy("host-proxy", "envoy", "gRPC via node's Envoy"),
    fromOutside("nodeport", "gRPC via a NodePort", ({ nodePort }) => nodePort),
    fromOutside("loadbalancer", "gRPC via LoadBalancer", ({ loadBalancerPort }) => loadBalancerPort),
    {
      ...toPods,
      name: "lookaside",
      learning: "watch",
      way: "gRPC to pods from xDS",
      why: "A control plane watches the pods, and tells the client which there are.",
      xdsClient: "client",
      args: ({ controlPlane }) => [
        "--target",
        `xds://${onLoopback(controlPlane.xds)}/server`,
        ...policyArgsUnlessDefault,
      ],
    },
    {
      ...expectationOfStrategy("xds"),
      name: "xds",
      learning: "watch",
      way: "gRPC's own xDS client",
      connections: "one connection per pod",
      xdsClient: "client",
      main: grpcMain,
      args: () => ["--target", "xds:///server"],
      env: ({ controlPlane }) => ({ GRPC_XDS_BOOTSTRAP_CONFIG: bootstrapOf(controlPlane.xds) }),
    },
    {
      ...expectationOfStrategy("envoy-xds"),
      name: "envoy-xds",
      learning: "proxy",
      way: "gRPC via Envoy, by xDS",
      connections: "one, to the proxy",
      program: "envoy",
      xdsClient: "proxy",
      main: grpcMain,
      args: ({ controlPlane }) => ["--target", onLoopback(controlPlane.envoy)],
    },
  ];
}

/** What gRPC's own xDS client finds its control plane by. */
function bootstrapOf(port: number): string {
  const server = {
    server_uri: onLoopback(port),
    channel_creds: [{ type: "insecure" }],
    // Without ignore_resource_deletion grpc-js-xds 1.14 does not notice a listener that goes and comes back as it was.
    server_features: ["xds_v3", "ignore_resource_deletion"],
  };
  return JSON.stringify({ xds_servers: [server], node: { id: "lab", cluster: "lab", locality: {} } });
}

/** A client outside the cluster, which reaches the Service at a node or through a layer 4 load balancer. */
function fromOutside(name: string, way: string, portOf: (addresses: Addresses) => number): Strategy {
  return {
    ...expectationOfStrategy(name),
    name,
    learning: "break",
    way,
    connections: "one connection for all",
    main: grpcMain,
    args: (addresses) => ["--target", onLoopback(portOf(addresses))],
  };
}

function throughProxy(name: ProxyName, program: ProxyProgram, way: string): Strategy {
  return {
    ...expectationOfStrategy(name),
    name,
    learning: "proxy",
    way,
    connections: "one, to the proxy",
    program,
    proxy: name,
    main: grpcMain,
    args: ({ proxies }) => ["--target", onLoopback(proxies[name] ?? 0)],
  };
}

/** The flags of a strategy's client. */
export function clientArgs(strategy: Strategy, addresses: Addresses, intervalMs: number): readonly string[] {
  return [...strategy.args(addresses), "--interval", formatDuration(intervalMs)];
}
