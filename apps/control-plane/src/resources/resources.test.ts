import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import type { Endpoint } from "@grpc-lb/discovery";
import { Cluster } from "@grpc-lb/protos/envoy/config/cluster/v3";
import { ClusterLoadAssignment } from "@grpc-lb/protos/envoy/config/endpoint/v3";
import { Listener } from "@grpc-lb/protos/envoy/config/listener/v3";
import { RouteConfiguration } from "@grpc-lb/protos/envoy/config/route/v3";
import type { Backend, Service } from "../config/config.ts";
import { policyNames } from "../config/policy.ts";
import { readConfig } from "../config/read-config.ts";
import { encodeAssignment } from "./assignment.ts";
import { type ClientKind, clientGroupOf, clientKinds } from "./client-kind.ts";
import { buildCluster } from "./cluster.ts";
import { type BuiltEndpoints, buildEndpoints } from "./endpoints.ts";
import { buildListener } from "./listener.ts";
import { mergeSplit } from "./merge-split.ts";
import { buildRoutes } from "./route.ts";

/** What grpc-js-xds itself makes of a resource: it checks them as a client does. */
interface ClientType {
  decode(context: object, resource: { type_url: string; value: Uint8Array }): { name: string; error?: string };
}
const require = createRequire(import.meta.url);
(require("@grpc/grpc-js-xds") as { register(): void }).register();
const typeOf = (file: string, name: string): ClientType =>
  require(`@grpc/grpc-js-xds/build/src/xds-resource-type/${file}-resource-type`)[name].get();
const clientTypes = {
  Listener: typeOf("listener", "ListenerResourceType"),
  RouteConfiguration: typeOf("route-config", "RouteConfigurationResourceType"),
  Cluster: typeOf("cluster", "ClusterResourceType"),
  ClusterLoadAssignment: typeOf("endpoint", "EndpointResourceType"),
};
const packages = {
  Listener: "listener",
  RouteConfiguration: "route",
  Cluster: "cluster",
  ClusterLoadAssignment: "endpoint",
};

/** Asserts that grpc-js-xds accepts a resource. */
function assertAccepted(name: keyof typeof clientTypes, value: Uint8Array): void {
  const type_url = `type.googleapis.com/envoy.config.${packages[name]}.v3.${name}`;
  const server = { serverUri: "", channelCreds: [], serverFeatures: [] };
  const context = { server, bootstrap: { xdsServers: [server], node: {}, authorities: {}, certificateProviders: {} } };
  assert.equal(clientTypes[name].decode(context, { type_url, value }).error, undefined);
}

function serviceOf(fields: object, others: object = {}): Service {
  const services = { server: { target: "static:///10.0.0.1:80", ...fields }, ...others };
  return readConfig({ services }).services.get("server") as Service;
}

function backendOf(fields: object): Backend {
  const { backend } = serviceOf(fields);
  assert.ok(backend.t === "backend");
  return backend;
}

const endpoint = (host: string, more: Partial<Endpoint> = {}): Endpoint => ({
  ...{ id: `${host}:80`, addresses: [{ host, port: 80 }], weight: 1, zone: undefined },
  ...{ forZones: [], nodeName: undefined, metadata: {}, ...more },
});

/** An assignment in a form that is easy to compare: `[priority, locality, weight, endpoints with their weights]`. */
function shapeOf(
  backend: Backend,
  endpoints: readonly Endpoint[],
  kind: ClientKind,
  factors = new Map<string, number>(),
) {
  return shape(assignmentOf(buildEndpoints(backend, [{ priority: 0, endpoints }], factors)[kind]));
}

const assignmentOf = (built: BuiltEndpoints) => ClusterLoadAssignment.decode(encodeAssignment("server", built));

function shape(assignment: ClusterLoadAssignment) {
  assertAccepted("ClusterLoadAssignment", ClusterLoadAssignment.encode(assignment).finish());
  return assignment.endpoints.map(({ priority, locality, loadBalancingWeight, lbEndpoints }) => {
    const members = lbEndpoints.map(({ hostIdentifier, loadBalancingWeight }) => {
      return `${hostIdentifier?.value.address?.address?.value.address}=${loadBalancingWeight}`;
    });
    return [priority, `${locality?.zone}/${locality?.subZone}`, loadBalancingWeight, members.join()];
  });
}

test("grpc-js-xds accepts every policy and every option, and Envoy's clusters name one that Envoy has", () => {
  const options = {
    ...{
      circuitBreaker: { maxRequests: 5 },
      steering: "lrs",
      localities: [{ zone: "a", weight: 2 }],
    },
    outlierDetection: { failurePercentage: {}, successRate: {}, consecutiveErrors: 3 },
  };
  for (const policy of policyNames) {
    const hash = policy === "ring_hash" || policy === "maglev" ? { hashHeader: "user" } : {};
    for (const fields of [{}, options, { outlierDetection: { successRate: {} } }]) {
      const backend = backendOf({ policy, ...hash, ...fields });
      assertAccepted("Cluster", Cluster.encode(buildCluster("server", backend, "grpc")).finish());
      const forEnvoy = buildCluster("server", backend, "envoy");
      const names = forEnvoy.loadBalancingPolicy?.policies.map(
        ({ typedExtensionConfig }) => typedExtensionConfig?.name,
      );
      assert.match(
        String(names),
        /^(undefined|envoy\.load_balancing_policies\.(round_robin|random|least_request|ring_hash))$/,
      );
    }
  }
});

test("one endpoint may always be ejected, and Envoy stops calling it at once", () => {
  const cluster = buildCluster("server", backendOf({ outlierDetection: { consecutiveErrors: 3 } }), "envoy");
  assert.equal(cluster.outlierDetection?.alwaysEjectOneHost, true);
  assert.deepEqual(cluster.commonLbConfig?.updateMergeWindow, { seconds: 0n, nanos: 0 });
});

test("what outlier detection does not say is off", () => {
  const enforcedOf = (fields: object) => {
    const { outlierDetection } = buildCluster("server", backendOf({ outlierDetection: fields }), "grpc");
    const { enforcingSuccessRate, enforcingFailurePercentage, enforcingConsecutive5xx } = outlierDetection ?? {};
    return [enforcingSuccessRate, enforcingFailurePercentage, enforcingConsecutive5xx];
  };
  assert.deepEqual(enforcedOf({ successRate: {} }), [100, 0, 0]);
  assert.deepEqual(enforcedOf({ failurePercentage: {} }), [0, 100, 0]);
  assert.deepEqual(enforcedOf({ consecutiveErrors: 3 }), [0, 0, 100]);
});

test("a gRPC client finds its listener by name, and it does not change with the configuration; Envoy's has a port", () => {
  const plain = buildListener(serviceOf({}), "grpc");
  assert.deepEqual(plain, buildListener(serviceOf({ timeout: "1s", envoyPort: 30_051, policy: "random" }), "grpc"));
  assertAccepted("Listener", Listener.encode(plain as Listener).finish());
  assert.equal(buildListener(serviceOf({}), "envoy"), undefined);
  const socketOf = (fields: object) => {
    const { address } = buildListener(serviceOf({ envoyPort: 30_051, ...fields }), "envoy")?.address ?? {};
    return address?.$case === "socketAddress" ? [address.value.address, address.value.portSpecifier] : undefined;
  };
  const portSpecifier = { $case: "portValue", value: 30_051 };
  assert.deepEqual(socketOf({}), ["0.0.0.0", portSpecifier]);
  assert.deepEqual(socketOf({ envoyAddress: "127.0.0.1" }), ["127.0.0.1", portSpecifier]);
});

test("routes have the split, timeouts, retries and the header to hash; a part of weight 0 gets no calls", () => {
  const parts = { v1: { target: "static:///10.0.0.1:80" }, v2: { target: "static:///10.0.0.2:80" } };
  const split = serviceOf(
    { target: undefined, split: { v1: 90, v2: 10 }, timeout: "1.5s", retries: { attempts: 2 } },
    parts,
  );
  for (const kind of clientKinds) {
    const routes = buildRoutes(split, kind);
    assertAccepted("RouteConfiguration", RouteConfiguration.encode(routes).finish());
    const { action } = routes.virtualHosts[0]?.routes[0] ?? {};
    assert.ok(action?.$case === "route" && action.value.clusterSpecifier?.$case === "weightedClusters");
    assert.deepEqual(action.value.clusterSpecifier.value.clusters, [
      { name: "v1", weight: 90 },
      { name: "v2", weight: 10 },
    ]);
    assert.deepEqual(action.value.maxStreamDuration?.maxStreamDuration, { seconds: 1n, nanos: 5e8 });
    assert.equal(action.value.retryPolicy?.numRetries, 2);
    assert.match(action.value.retryPolicy.retryOn, kind === "envoy" ? /^unavailable,connect-failure/ : /^unavailable$/);
    const [elsewhere] = action.value.retryPolicy.retryHostPredicate;
    assert.equal(elsewhere?.name, kind === "envoy" ? "envoy.retry_host_predicates.previous_hosts" : undefined);
  }
  const all = serviceOf({ target: undefined, split: { v1: 0, v2: 100 } }, parts);
  const { action } = buildRoutes(all, "envoy").virtualHosts[0]?.routes[0] ?? {};
  assert.ok(action?.$case === "route" && action.value.clusterSpecifier?.$case === "weightedClusters");
  assert.deepEqual(action.value.clusterSpecifier.value.clusters, [{ name: "v2", weight: 100 }]);
  assert.deepEqual(action.value.timeout, { seconds: 0n, nanos: 0 }); // Envoy's 15 s are off
  const plain = buildRoutes(serviceOf({ policy: "ring_hash", hashHeader: "user" }), "grpc").virtualHosts[0]?.routes[0]
    ?.action;
  assert.ok(plain?.$case === "route");
  assert.deepEqual(
    [plain.value.clusterSpecifier, plain.value.retryPolicy],
    [{ $case: "cluster", value: "server" }, undefined],
  );
  assert.deepEqual(plain.value.hashPolicy[0]?.policySpecifier, { $case: "header", value: { headerName: "user" } });
});

test("endpoints stand in their zones, which weigh as much as their endpoints together", () => {
  const endpoints = [
    endpoint("10.0.0.1", { zone: "a" }),
    endpoint("10.0.0.2", { zone: "b" }),
    endpoint("10.0.0.3", { zone: "a" }),
  ];
  for (const kind of clientKinds) {
    assert.deepEqual(shapeOf(backendOf({}), endpoints, kind), [
      [0, "a/", 2, "10.0.0.1=1,10.0.0.3=1"],
      [0, "b/", 1, "10.0.0.2=1"],
    ]);
  }
  const weighed = backendOf({ localities: [{ zone: "b", weight: 8 }] });
  assert.deepEqual(
    shapeOf(weighed, endpoints, "envoy").map(([, zone, weight]) => [zone, weight]),
    [
      ["a/", 2],
      ["b/", 8],
    ],
  );
});

test("priorities of sources and zones are numbered without a gap, whichever are empty", () => {
  const localities = [{ zone: "b", priority: 2 }];
  const sources = [
    { target: "static:///10.0.0.1:80", priority: 3 },
    { target: "static:///10.0.0.9:80", priority: 7 },
  ];
  const backend = backendOf({ target: undefined, sources, localities });
  const build = (first: readonly Endpoint[], second: readonly Endpoint[]) =>
    shape(
      assignmentOf(
        buildEndpoints(
          backend,
          [
            { priority: 7, endpoints: second },
            { priority: 3, endpoints: first },
          ],
          new Map(),
        ).grpc,
      ),
    ).map(([priority, , , members]) => [priority, members]);
  const [a, b, far] = [endpoint("10.0.0.1"), endpoint("10.0.0.2", { zone: "b" }), endpoint("10.0.0.9")];
  assert.deepEqual(build([b, a], [far]), [
    [0, "10.0.0.1=1"],
    [1, "10.0.0.2=1"],
    [2, "10.0.0.9=1"],
  ]);
  assert.deepEqual(build([b], [far]), [
    [0, "10.0.0.2=1"],
    [1, "10.0.0.9=1"],
  ]);
  assert.deepEqual(build([a], [a, far]), [
    [0, "10.0.0.1=1"],
    [1, "10.0.0.9=1"],
  ]);
  assert.deepEqual(build([], []), []);
});

test("weights count in round robin: Envoy gets them with the endpoints, gRPC as a locality for each", () => {
  const endpoints = [endpoint("10.0.0.1", { weight: 3 }), endpoint("10.0.0.2", { weight: 0 })];
  assert.deepEqual(shapeOf(backendOf({}), endpoints, "envoy"), [[0, "/", 4, "10.0.0.1=3,10.0.0.2=1"]]);
  assert.deepEqual(shapeOf(backendOf({}), endpoints, "grpc"), [
    [0, "/10.0.0.1:80", 3, "10.0.0.1=1"],
    [0, "/10.0.0.2:80", 1, "10.0.0.2=1"],
  ]);
  assert.deepEqual(shapeOf(backendOf({ policy: "least_request" }), endpoints, "grpc"), [
    [0, "/", 4, "10.0.0.1=3,10.0.0.2=1"],
  ]);
  const steered = new Map([["10.0.0.1:80", 0.1]]);
  const equal = [endpoint("10.0.0.1"), endpoint("10.0.0.2")];
  assert.deepEqual(
    shapeOf(backendOf({ steering: "orca" }), equal, "grpc", steered).map(([, , weight]) => weight),
    [100, 1_000],
  );
});

test("an endpoint that is not an IP address is left out and named, and one of two families is one endpoint", () => {
  const dual = endpoint("10.0.0.1", {
    addresses: [
      { host: "10.0.0.1", port: 80 },
      { host: "fd00::1", port: 80 },
    ],
  });
  const sources = [{ priority: 0, endpoints: [endpoint("localhost"), dual, endpoint("fd00::1")] }];
  const built = buildEndpoints(backendOf({ dropPercent: 0.5 }), sources, new Map());
  const assignment = assignmentOf(built.grpc);
  assert.deepEqual(built.skipped, ["localhost:80"]);
  assert.deepEqual(shape(assignment), [[0, "/", 1, "10.0.0.1=1"]]);
  const { hostIdentifier } = assignment.endpoints[0]?.lbEndpoints[0] ?? {};
  assert.equal(hostIdentifier?.value.additionalAddresses.length, 1);
  assert.equal(assignment.policy?.dropOverloads[0]?.dropPercentage?.numerator, 5_000);
});

test("10 000 endpoints of different weights are within the limits of clients", () => {
  const many = Array.from({ length: 10_000 }, (_, n) =>
    endpoint(`10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`, { weight: 2 ** 32 - 1 - n * 1_000.5 }),
  );
  const assignment = assignmentOf(buildEndpoints(backendOf({}), [{ priority: 0, endpoints: many }], new Map()).grpc);
  const sum = assignment.endpoints.reduce((total, { loadBalancingWeight = 0 }) => total + loadBalancingWeight, 0);
  assert.ok(sum < 2 ** 32 && assignment.endpoints.length === 10_000, String(sum));
});

test("the group of a client is known by what it calls itself", () => {
  const groups = ["gRPC Node Pure JS", "gRPC Go", "gRPC Java", "envoy", "grpc-lb", "go-control-plane", ""];
  assert.deepEqual(groups.map(clientGroupOf), ["grpc", "grpc", "grpc", "envoy", "source", "other", "other"]);
});

test("clients that are not gRPC's get what the sources know of an endpoint", () => {
  const known = { nodeName: "node-1", forZones: ["a", "b"], metadata: { podName: "server-1", region: "eu-1" } };
  const endpoints = [endpoint("10.0.0.1", known), endpoint("10.0.0.2")];
  const metadataFor = (kind: ClientKind) => {
    const assignment = assignmentOf(buildEndpoints(backendOf({}), [{ priority: 0, endpoints }], new Map())[kind]);
    return assignment.endpoints.flatMap(({ lbEndpoints }) =>
      lbEndpoints.map(({ metadata }) => metadata?.filterMetadata),
    );
  };
  const want = { podName: "server-1", region: "eu-1", nodeName: "node-1", forZones: "a,b" };
  assert.deepEqual(metadataFor("envoy"), [{ "grpc-lb": want }, undefined]);
  assert.deepEqual(metadataFor("grpc"), [undefined, undefined]);
  for (let n = 0; n < 5_000; n++) endpoints.push(endpoint(`10.1.${n >> 8}.${n & 255}`));
  assert.equal(metadataFor("envoy")[0], undefined); // such a set would be too large
});

test("what has not changed of a set is not encoded again, in any kind of set", () => {
  const [first, second] = [endpoint("10.0.0.1", { nodeName: "a" }), endpoint("10.0.0.2", { weight: 2 })];
  for (const policy of ["round_robin", "least_request"]) {
    for (const kind of clientKinds) {
      const build = (...endpoints: readonly Endpoint[]) =>
        buildEndpoints(backendOf({ policy }), [{ priority: 0, endpoints }], new Map())[kind].localities;
      const fields = (localities: ReturnType<typeof build>) => localities.flatMap(({ lbEndpoints }) => lbEndpoints);
      const before = build(first, second);
      const after = build(first, second, endpoint("10.0.0.3"));
      assert.deepEqual([fields(before).length, fields(after).length], [2, 3]);
      for (const [n, field] of fields(before).entries()) assert.equal(fields(after)[n], field);
      const heavier = fields(build({ ...first, weight: 5 }, second));
      if (before.length === 1) assert.notDeepEqual(heavier[0], fields(before)[0]);
      assert.equal(heavier[1], fields(before)[1]);
    }
  }
});

test("an endpoint that loses an address to another one is encoded without it, and with it again later", () => {
  const both = endpoint("10.0.0.1", { addresses: ["10.0.0.1", "fd00::1"].map((host) => ({ host, port: 80 })) });
  const addresses = (...endpoints: readonly Endpoint[]) =>
    assignmentOf(buildEndpoints(backendOf({}), [{ priority: 0, endpoints }], new Map()).grpc)
      .endpoints.flatMap(({ lbEndpoints }) => lbEndpoints)
      .map(({ hostIdentifier }) => 1 + (hostIdentifier?.value.additionalAddresses.length ?? 0));
  assert.deepEqual(addresses(both), [2]);
  assert.deepEqual(addresses(endpoint("fd00::1"), both), [1, 1]);
  assert.deepEqual(addresses(both), [2]);
});

test("the drops of the only source of a service are passed on, beside those of the configuration", () => {
  const drops = [{ category: "busy", fraction: 0.25 }];
  const source = { priority: 0, endpoints: [endpoint("10.0.0.1")], drops };
  const of = (fields: object, ...sources: readonly (typeof source)[]) =>
    assignmentOf(buildEndpoints(backendOf(fields), sources, new Map()).grpc).policy?.dropOverloads.map(
      ({ category, dropPercentage }) => `${category} ${dropPercentage?.numerator}`,
    );
  assert.deepEqual(of({}, source), ["busy 250000"]);
  assert.deepEqual(of({ dropPercent: 1 }, source), ["busy 250000", "configured 10000"]);
  assert.equal(of({}, source, source), undefined);
});

test("the endpoints of a split service take the share of their part, whatever their number, weights, zones and priorities", () => {
  const build = (...endpoints: readonly Endpoint[]) =>
    buildEndpoints(
      backendOf({ localities: [{ zone: "far", priority: 1 }] }),
      [{ priority: 0, endpoints, drops: [{ category: "busy", fraction: 0.5 }] }],
      new Map(),
    ).envoy;
  const v1 = build(
    endpoint("10.0.0.1", { zone: "a" }),
    endpoint("10.0.0.2", { zone: "a", weight: 3 }),
    endpoint("10.0.0.3", { zone: "b" }),
    endpoint("10.0.0.4", { zone: "far" }),
  );
  const v2 = build(endpoint("10.0.1.1", { zone: "a" }));
  const parts = (one: number, two: number, second = v2) => [
    { service: "v1", weight: one, built: v1 },
    { service: "v2", weight: two, built: second },
  ];
  const merged = assignmentOf(mergeSplit(parts(90, 10)));
  assert.deepEqual(shape(merged), [
    [0, "a/v1", 720_000, "10.0.0.1=1,10.0.0.2=3"],
    [0, "b/v1", 180_000, "10.0.0.3=1"],
    [0, "a/v2", 100_000, "10.0.1.1=1"],
    [1, "far/v1", 1_000_000, "10.0.0.4=1"],
  ]);
  assert.equal(merged.policy?.dropOverloads[0]?.dropPercentage?.numerator, 500_000);
  const hosts = (...[one, two, second]: Parameters<typeof parts>) =>
    shape(assignmentOf(mergeSplit(parts(one, two, second)))).map(([, locality, weight]) => `${locality} ${weight}`);
  assert.deepEqual(hosts(0, 1), ["a/v2 1000000"]);
  assert.deepEqual(hosts(1, 9, build()).slice(0, 2), ["a/v1 800000", "b/v1 200000"]);
  assert.deepEqual(assignmentOf(mergeSplit([])).endpoints, []);
});
