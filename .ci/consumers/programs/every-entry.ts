/**
 * Uses each public entry of the packages: every-entry ADDRESSES HTTP-ADDRESSES PROTO YAML-FILE. It writes which pods answered by
 * gRPC, by HTTP, and which endpoints the sources have.
 */
import { promisify } from "node:util";
import { type Client, credentials, loadPackageDefinition, type ServiceError } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { createSource, type Endpoint, parseTarget, type Snapshot, type Source, type Target } from "@grpc-lb/discovery";
import { type ConsulSourceOptions, createConsulSource, registerInConsul } from "@grpc-lb/discovery/consul";
import { createDnsPollSource, type DnsPollSourceOptions } from "@grpc-lb/discovery/dns";
import { createEtcdSource, type EtcdSourceOptions, registerInEtcd } from "@grpc-lb/discovery/etcd";
import { createFileSource, type FileSourceOptions } from "@grpc-lb/discovery/file";
import { type ApiAccess, createKubernetesSource, isInCluster } from "@grpc-lb/discovery/kubernetes";
import { type Instance, type Registration, register } from "@grpc-lb/discovery/registration";
import { createStaticSource, type StaticSourceOptions } from "@grpc-lb/discovery/static";
import { FakeApiServer, FakeDnsServer, slice } from "@grpc-lb/discovery/testing";
import { createXdsSource, type XdsSourceOptions } from "@grpc-lb/discovery/xds";
import {
  createClientAuth,
  createClientDeadline,
  createClientLogging,
  createRetries,
  type Logger,
  type TokenSource,
} from "@grpc-lb/interceptors";
import { type Claims, createServerAuth } from "@grpc-lb/interceptors/jwt";
import { createClientMetrics, observeBalancing } from "@grpc-lb/interceptors/metrics";
import { tokenFromClientCredentials } from "@grpc-lb/interceptors/oauth2";
import { activeTraceId, createClientTracing } from "@grpc-lb/interceptors/tracing";
import { createServiceConfig, type PickMessage, policyChannels, registerPolicies } from "@grpc-lb/policies";
import { type ResolvedTargetStats, registerResolvers, type Warn } from "@grpc-lb/resolver";
import { BalancedDispatcher, type BalancedDispatcherOptions } from "@grpc-lb/resolver/undici";
import { MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";
import { request } from "undici";

interface PodClient extends Client {
  GetPod(request: object, callback: (error: ServiceError | null, value?: { pod: { name: string } }) => void): void;
}

interface PodPackage {
  readonly pod: {
    readonly v1: { readonly PodService: new (...args: ConstructorParameters<typeof Client>) => PodClient };
  };
}

const [addresses = "", httpAddresses = "", proto = "", file = ""] = process.argv.slice(2);
const warn: Warn = (message: string) => process.stderr.write(`${message}\n`);

class ManualReader extends MetricReader {
  protected async onForceFlush(): Promise<void> {}
  protected async onShutdown(): Promise<void> {}
}

const reader = new ManualReader();
const meter = new MeterProvider({ readers: [reader] }).getMeter("every-entry");
const balancing = observeBalancing({ meter });
const nothing = (): void => {};
const logger: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };
const token: TokenSource = () => "token";

/** The names of the metrics with data, and the sum of the picks. */
async function collectMetrics(): Promise<{ metrics: string[]; picks: number }> {
  const { resourceMetrics } = await reader.collect();
  const found = resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics);
  const picks = found.find(({ descriptor }) => descriptor.name === "grpc.lb.picks")?.dataPoints ?? [];
  balancing.close();
  return {
    metrics: found.map(({ descriptor }) => descriptor.name).sort(),
    picks: picks.reduce((sum, { value }) => sum + Number(value), 0),
  };
}

/** What needs an issuer, and is not called here. */
export function useIssuer(): unknown[] {
  const authorize = ({ sub }: Claims) => (sub === "client" ? undefined : "only the client may call");
  return [
    tokenFromClientCredentials({ issuer: "https://issuer.test", clientId: "client", clientSecret: token }),
    createServerAuth({ jwks: { file: "jwks.json" }, issuer: "https://issuer.test", audience: "server", authorize }),
  ];
}

async function callByGrpc(): Promise<string[]> {
  const resolvers = registerResolvers({ warn });
  registerPolicies();
  const { pod } = loadPackageDefinition(loadSync(proto)) as unknown as PodPackage;
  const client = new pod.v1.PodService(`static:///${addresses}`, credentials.createInsecure(), {
    "grpc.service_config": createServiceConfig(
      { least_request: { choiceCount: 2 } },
      createRetries({ methods: ["pod.v1.PodService"] }),
    ),
    interceptors: [
      createClientTracing({ findEndpoint: (peer) => resolvers.findEndpoint(peer) }),
      createClientMetrics({ meter }),
      createClientLogging({ logger, traceId: activeTraceId }),
      createClientDeadline(),
      createClientAuth({ token }),
    ],
  });
  const getPod = promisify(client.GetPod.bind(client));
  const names = new Set<string>();
  for (let n = 0; n < 40; n++) names.add((await getPod({}))?.pod.name ?? "");
  const stats: ResolvedTargetStats[] = resolvers.stats();
  if (stats[0]?.endpoints !== 2) throw new Error("the target must have two endpoints");
  client.close();
  return [...names].sort();
}

async function callByHttp(): Promise<string[]> {
  const options: BalancedDispatcherOptions = { connect: { timeout: 1000 } };
  const dispatcher = new BalancedDispatcher(`static:///${httpAddresses}`, options);
  const names = new Set<string>();
  for (let n = 0; n < 4; n++) {
    const { body } = await request("http://server/", { dispatcher });
    names.add(((await body.json()) as { name: string }).name);
  }
  await dispatcher.close();
  return [...names].sort();
}

async function firstEndpoints(source: Source): Promise<string[] | undefined> {
  for await (const { endpoints, error } of source.watch() as AsyncIterable<Snapshot>) {
    if (error) throw error;
    return endpoints?.map(({ addresses: [first] }: Endpoint) => `${first?.host}:${first?.port}`);
  }
  return undefined;
}

async function watchKubernetes(): Promise<string[] | undefined> {
  const api = await FakeApiServer.start();
  api.putSlice(slice({ service: "server", addresses: ["10.0.0.1"], ports: [{ name: "grpc", port: 50_051 }] }));
  const access: ApiAccess = api.access;
  const endpoints = await firstEndpoints(createKubernetesSource({ service: "server", namespace: "default", access }));
  await api.close();
  return endpoints;
}

async function watchDns(): Promise<string[] | undefined> {
  const dns = await FakeDnsServer.start();
  dns.set("server.test", { A: ["10.0.0.2"] });
  const options: DnsPollSourceOptions = { name: "server.test.", port: 80, server: dns.address };
  const endpoints = await firstEndpoints(createDnsPollSource(options));
  await dns.close();
  return endpoints;
}

/** What needs a registry, and is not called here. */
export async function useRegistries(instance: Instance, hooks: { signal: AbortSignal }): Promise<Source[]> {
  const etcd: EtcdSourceOptions = { endpoints: ["127.0.0.1:2379"], service: "server" };
  const consul: ConsulSourceOptions = { agent: { host: "127.0.0.1", port: 8500 }, service: "server" };
  const registrations: Registration[] = [
    registerInEtcd({ endpoints: etcd.endpoints, instance }),
    registerInConsul({ agent: consul.agent, instance }),
    await register("etcd://127.0.0.1:2379/server?ttl=5s", { address: instance.address }),
  ];
  hooks.signal.addEventListener("abort", () => registrations.forEach((registration) => void registration.close()));
  const xds: XdsSourceOptions = { controlPlane: { host: "127.0.0.1", port: 18_000 }, name: "server" };
  return [createEtcdSource(etcd), createConsulSource(consul), createXdsSource(xds)];
}

export const describePick = ({ endpoint, policy }: PickMessage): string =>
  `${policyChannels.pick}: ${policy} ${endpoint.address}`;

async function main(): Promise<void> {
  const target: Target = parseTarget(`file://${file}`);
  const fileOptions: FileSourceOptions = { path: file };
  const staticOptions: StaticSourceOptions = { endpoints: [{ address: { host: "10.0.0.4", port: 80 }, weight: 2 }] };
  const result = {
    grpc: await callByGrpc(),
    http: await callByHttp(),
    kubernetes: await watchKubernetes(),
    dns: await watchDns(),
    yaml: await firstEndpoints(createFileSource(fileOptions)),
    yamlByTarget: await firstEndpoints(createSource(target)),
    static: await firstEndpoints(createStaticSource(staticOptions)),
    isInCluster: isInCluster(),
    ...(await collectMetrics()),
  };
  process.stdout.write(JSON.stringify(result));
}

void main();
