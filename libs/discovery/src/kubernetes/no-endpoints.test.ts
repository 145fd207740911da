import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { FakeApiServer, SnapshotReader, service, slice } from "../../testing/index.ts";
import { createKubernetesSource } from "./source.ts";

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  await assertNothingLeft();
});

async function read(port: string | number, set: (api: FakeApiServer) => void): Promise<SnapshotReader> {
  const api = await FakeApiServer.start();
  cleanups.push(() => api.close());
  set(api);
  const reader = new SnapshotReader(createKubernetesSource({ service: "s", port, access: api.access }));
  cleanups.push(() => reader.close());
  return reader;
}

const http = [{ name: "http", port: 8080 }];
for (const [what, port, set, code, message] of [
  [
    "an ExternalName Service",
    80,
    (api) =>
      api.putService(
        service({ name: "s", ports: [], spec: { type: "ExternalName", externalName: "db.example", selector: null } }),
      ),
    "invalid",
    "kubernetes: service default/s is of type ExternalName; dial dns:///db.example:port instead",
  ],
  [
    "a Service without selector and slices",
    80,
    (api) => api.putService(service({ name: "s", spec: { selector: null } })),
    "notFound",
    "kubernetes: service default/s has no selector and no EndpointSlices; create slices with the label kubernetes.io/service-name=s",
  ],
  [
    "slices of names",
    "grpc",
    (api) => {
      api.putService(service({ name: "s" }));
      api.putSlice(slice({ service: "s", addressType: "FQDN", addresses: ["a.example"] }));
    },
    "invalid",
    "kubernetes: service default/s has EndpointSlices of type FQDN only, which are not supported; dial their names with dns:/// instead",
  ],
  [
    "slices of names beside an empty one of addresses",
    "grpc",
    (api) => {
      api.putService(service({ name: "s" }));
      api.putSlice(slice({ service: "s", name: "s-1", addressType: "FQDN", addresses: ["a.example"] }));
      api.putSlice(slice({ service: "s", name: "s-2", addresses: [] }));
    },
    "invalid",
    "kubernetes: service default/s has EndpointSlices of type FQDN only, which are not supported, as those of other types have no ready endpoints; dial their names with dns:/// instead",
  ],
  [
    "an ExternalName Service without a name",
    80,
    (api) => api.putService(service({ name: "s", ports: [], spec: { type: "ExternalName", selector: null } })),
    "invalid",
    "kubernetes: service default/s is of type ExternalName and has no externalName; set spec.externalName, and dial that name with dns:/// instead",
  ],
  [
    "a port number, slices without ports, and no right to read the Service",
    80,
    (api) => {
      api.putService(service({ name: "s" }));
      api.putSlice(slice({ service: "s", addresses: ["10.0.0.1"], ports: [] }));
      for (const verb of ["get", "list", "watch"] as const) api.forbid(verb, "services");
    },
    "portNotFound",
    'kubernetes: service default/s has no port 80; its EndpointSlices name no target ports; the Service, which may map it, could not be read (403); allow "get" of services',
  ],
  [
    "a UDP port by name, and no right to read the Service",
    "dns",
    (api) => {
      api.putSlice(
        slice({ service: "s", addresses: ["10.0.0.1"], ports: [{ name: "dns", port: 53, protocol: "UDP" }] }),
      );
      for (const verb of ["get", "list", "watch"] as const) api.forbid(verb, "services");
    },
    "portNotFound",
    'kubernetes: service default/s has no port "dns"; its target ports are dns (53 UDP); their port "dns" is UDP, and gRPC needs TCP: name a TCP port',
  ],
  [
    "a port of the Service that maps to nothing",
    80,
    (api) => {
      api.putService(service({ name: "s", ports: [{ name: "grpc", port: 80 }] }));
      api.putSlice(slice({ service: "s", addresses: ["10.0.0.1"], ports: http }));
    },
    "portNotFound",
    'kubernetes: service default/s has no port 80; its target ports are http (8080); the Service maps 80 to "grpc", which no pod has',
  ],
  [
    "a UDP port by name",
    "dns",
    (api) => {
      const dns = [{ name: "dns", port: 53, protocol: "UDP" }];
      api.putService(service({ name: "s", ports: dns }));
      api.putSlice(slice({ service: "s", addresses: ["10.0.0.1"], ports: dns }));
    },
    "portNotFound",
    'kubernetes: service default/s has no port "dns"; its target ports are dns (53 UDP); the Service\'s port "dns" is UDP, and gRPC needs TCP: name a TCP port',
  ],
  [
    "a UDP port by number",
    53,
    (api) => {
      api.putService(service({ name: "s", ports: [{ name: "dns", port: 53, protocol: "UDP" }] }));
      api.putSlice(slice({ service: "s", addresses: ["10.0.0.1"], ports: http }));
    },
    "portNotFound",
    "kubernetes: service default/s has no port 53; its target ports are http (8080); the Service's port 53 is UDP, and gRPC needs TCP: name a TCP port",
  ],
] as [string, string | number, (api: FakeApiServer) => void, string, string][]) {
  test(`${what} is an error with the reason`, async () => {
    const { error, endpoints } = await (await read(port, set)).until(
      "an error",
      (snapshot) => snapshot.error !== undefined,
    );
    assert.deepEqual([error?.code, error?.message, endpoints], [code, message, []]);
  });
}

test("the port number of a headless Service without ports is dialled unchanged, as with DNS", async () => {
  const reader = await read(50_051, (api) => {
    api.putService(service({ name: "s", ports: [], spec: { clusterIP: "None" } }));
    api.putSlice(slice({ service: "s", addresses: ["10.0.0.1"], ports: [] }));
  });
  await reader.untilAddresses("10.0.0.1:50051");
});

for (const [what, slices] of [
  [
    "two pods of one address in a slice",
    [
      slice({
        service: "s",
        addresses: [
          { address: "10.0.0.1", pod: "a" },
          { address: "10.0.0.1", pod: "b" },
        ],
      }),
    ],
  ],
  [
    "the same address in two slices, in one of them without a pod",
    [
      slice({ service: "s", name: "s-1", addresses: [{ address: "10.0.0.1", pod: "a" }] }),
      slice({ service: "s", name: "s-2", addresses: ["10.0.0.1"] }),
    ],
  ],
  [
    "an IPv6 address in two spellings",
    [
      slice({ service: "s", name: "s-1", addressType: "IPv6", addresses: ["fd00::1"] }),
      slice({ service: "s", name: "s-2", addressType: "IPv6", addresses: ["FD00:0:0::1"] }),
    ],
  ],
  [
    "an IPv4 address, and the same one mapped into IPv6",
    [
      slice({ service: "s", name: "s-1", addresses: ["10.0.0.1"] }),
      slice({ service: "s", name: "s-2", addressType: "IPv6", addresses: ["::ffff:10.0.0.1"] }),
    ],
  ],
  [
    "a pod with an IPv4 address, and the same one mapped into IPv6,",
    [
      slice({ service: "s", name: "s-1", addresses: [{ address: "10.0.0.1", pod: "a" }] }),
      slice({ service: "s", name: "s-2", addressType: "IPv6", addresses: [{ address: "::ffff:a00:1", pod: "a" }] }),
    ],
  ],
] as const) {
  test(`${what} is one endpoint`, async () => {
    const reader = await read("grpc", (api) => {
      api.putService(service({ name: "s" }));
      api.putSlice(...slices);
    });
    const { endpoints } = await reader.until("endpoints", ({ endpoints }) => endpoints !== undefined);
    assert.deepEqual(
      endpoints?.map(({ addresses }) => addresses.length),
      [1],
    );
  });
}
