import assert from "node:assert/strict";
import type { ApiAccess } from "../../src/kubernetes/api-client.ts";
import { createKubernetesSource } from "../../src/kubernetes/source.ts";
import { SnapshotReader } from "../snapshot-reader.ts";
import { type StoredService, type StoredSlice, service, slice } from "./slices.ts";

/** Where the behaviours run: a fake API server, or a namespace of a real one. */
export interface World {
  readonly access: ApiAccess;
  readonly namespace: string;
  /** Writes them all, whether they exist or not. */
  put(...objects: readonly (StoredSlice | StoredService)[]): Promise<void>;
  /** Deletes a slice. */
  deleteSlice(name: string): Promise<void>;
  /** Deletes a Service. */
  deleteService(name: string): Promise<void>;
  /** Breaks the connections of watches that are open. */
  breakWatches(): Promise<void>;
  /** Makes every version so far too old; undefined where a test cannot cause that. */
  readonly compact?: () => void;
  /** Access of a user without any rights, and the name of that user. */
  stranger(): Promise<{ readonly access: ApiAccess; readonly user: string }>;
}

/** A behaviour of the source on every API server. */
export interface Behaviour {
  readonly name: string;
  /** Whether it can be tested in this world. Default: it can. */
  readonly isPossible?: (world: World) => boolean;
  /** Runs it, with the name of a service that no other behaviour uses. */
  readonly run: (world: World, name: string) => Promise<void>;
}

const ready = { ready: true, serving: true, terminating: false };

/** Watches a service during `run`, and then ends the watch. */
async function reading(
  world: World,
  options: { readonly service: string; readonly port?: string | number },
  run: (reader: SnapshotReader) => Promise<void>,
): Promise<void> {
  const { access, namespace } = world;
  const reader = new SnapshotReader(createKubernetesSource({ ...options, access, namespace }));
  try {
    await run(reader);
  } finally {
    await reader.close();
  }
}

/** What an API server and the Kubernetes source do together, on every server. */
export const behaviours: readonly Behaviour[] = [
  {
    name: "a service without slices is published at once as an empty set; slices that appear, change and disappear are published",
    run: (world, name) =>
      reading(world, { service: name }, async (reader) => {
        const { namespace } = world;
        await reader.untilAddresses();
        await world.put(slice({ service: name, namespace, addresses: ["10.9.0.1"] }));
        await reader.untilAddresses("10.9.0.1:50051");
        await world.put(slice({ service: name, namespace, addresses: ["10.9.0.1", "10.9.0.2"] }));
        await reader.untilAddresses("10.9.0.1:50051", "10.9.0.2:50051");
        await world.put(slice({ service: name, namespace, addresses: ["10.9.0.2"] }));
        await reader.untilAddresses("10.9.0.2:50051");
        await world.deleteSlice(`${name}-1`);
        await reader.untilAddresses();
      }),
  },
  {
    name: "a slice that is split, merged or emptied loses no endpoint that another slice names",
    run: (world, name) =>
      reading(world, { service: name }, async (reader) => {
        const at = (n: number, ...addresses: string[]) =>
          slice({ service: name, namespace: world.namespace, name: `${name}-${n}`, addresses });
        await world.put(at(1, "10.9.1.1", "10.9.1.2"));
        await reader.untilAddresses("10.9.1.1:50051", "10.9.1.2:50051");
        await world.put(at(2, "10.9.1.2", "10.9.1.3"));
        await reader.untilAddresses("10.9.1.1:50051", "10.9.1.2:50051", "10.9.1.3:50051");
        await world.put(at(1, "10.9.1.1"));
        await world.put(at(3));
        await world.put(at(2, "10.9.1.2"));
        await reader.untilAddresses("10.9.1.1:50051", "10.9.1.2:50051");
        await world.deleteSlice(`${name}-2`);
        await reader.untilAddresses("10.9.1.1:50051");
      }),
  },
  {
    name: "a ready endpoint serves; a terminating one leaves at once, and serves only when no other does",
    run: (world, name) =>
      reading(world, { service: name }, async (reader) => {
        const pods = (...conditions: readonly object[]) =>
          slice({
            service: name,
            namespace: world.namespace,
            addresses: conditions.map((one, i) => ({ address: `10.9.2.${i}`, conditions: one })),
          });
        await world.put(pods(ready, {}, { ready: false, serving: false, terminating: false }));
        await reader.untilAddresses("10.9.2.0:50051", "10.9.2.1:50051");
        await world.put(pods(ready, { ready: false, serving: true, terminating: true }));
        await reader.untilAddresses("10.9.2.0:50051");
        await world.put(pods({ ready: false }, { ready: false, serving: true, terminating: true }));
        await reader.untilAddresses("10.9.2.1:50051");
        await world.put(pods({ ready: false }, { ready: false, serving: false, terminating: true }));
        await reader.untilAddresses();
        await world.put(pods(ready));
        await reader.untilAddresses("10.9.2.0:50051");
      }),
  },
  {
    name: "IPv4 and IPv6 slices of one pod are one endpoint",
    run: (world, name) =>
      reading(world, { service: name }, async (reader) => {
        const { namespace } = world;
        const of = (addressType: "IPv4" | "IPv6", address: string) =>
          slice({
            service: name,
            namespace,
            name: `${name}-${addressType.toLowerCase()}`,
            addressType,
            addresses: [{ address, pod: "p" }],
          });
        await world.put(of("IPv6", "fd00::1"), of("IPv4", "10.9.3.1"));
        const { endpoints } = await reader.untilAddresses("10.9.3.1:50051+fd00::1:50051");
        assert.equal(endpoints?.[0]?.id, "uid-p");
      }),
  },
  {
    name: "a port is found by name, by target number and by the Service's number; the error of an unknown one lists the known ones",
    run: async (world, name) => {
      const { namespace } = world;
      const ports = [
        { name: "grpc", port: 50_051, protocol: "TCP" },
        { name: "http", port: 8_080, protocol: "TCP" },
      ];
      await world.put(
        service({
          name,
          namespace,
          ports: [
            { name: "grpc", port: 9_000, targetPort: 50_051 },
            { name: "http", port: 80 },
          ],
        }),
        slice({ service: name, namespace, addresses: ["10.9.4.1"], ports }),
      );
      const wanted: [string | number, number][] = [
        ["grpc", 50_051],
        ["http", 8_080],
        [8_080, 8_080],
        ["80", 8_080],
        [9_000, 50_051],
      ];
      for (const [port, number] of wanted) {
        await reading(world, { service: name, port }, async (reader) => {
          await reader.untilAddresses(`10.9.4.1:${number}`);
        });
      }
      await reading(world, { service: name, port: "admin" }, async (reader) => {
        const { error } = await reader.until("an error", (snapshot) => snapshot.error !== undefined);
        assert.match(error?.message ?? "", /has no port "admin"; its target ports are grpc \(50051\), http \(8080\)/);
      });
    },
  },
  {
    name: "a service that is deleted and created again with another port is published with that port",
    run: (world, name) =>
      reading(world, { service: name, port: 80 }, async (reader) => {
        const { namespace } = world;
        const made = (portName: string, port: number) => [
          service({ name, namespace, ports: [{ name: portName, port: 80, targetPort: port }] }),
          slice({
            service: name,
            namespace,
            addresses: ["10.9.5.1"],
            ports: [{ name: portName, port, protocol: "TCP" }],
          }),
        ];
        await world.put(...made("first", 7_001));
        await reader.untilAddresses("10.9.5.1:7001");
        await world.deleteSlice(`${name}-1`);
        await world.deleteService(name);
        await reader.untilAddresses();
        await world.put(...made("second", 7_002));
        await reader.untilAddresses("10.9.5.1:7002");
      }),
  },
  {
    name: "a Service that does not exist is reported as notFound, until it is created, and again when it is deleted",
    run: (world, name) =>
      reading(world, { service: name }, async (reader) => {
        const { namespace } = world;
        const missing = async () => {
          const { error, endpoints } = await reader.until("an error", (snapshot) => snapshot.error !== undefined);
          assert.deepEqual([error?.code, error?.status, endpoints], ["notFound", 404, []]);
          assert.equal(error?.message, `kubernetes: service ${namespace}/${name}: there is no such Service`);
        };
        const isFine = (count: number) =>
          reader.until(`${count} and no error`, ({ error, endpoints }) => !error && endpoints?.length === count);
        const made = (...addresses: string[]) => [
          service({ name, namespace }),
          slice({ service: name, namespace, addresses }),
        ];
        await missing();
        await world.put(...made()); // as a Service whose selector finds no pod
        await isFine(0);
        await world.put(...made("10.9.10.1"));
        await isFine(1);
        await world.deleteService(name);
        await world.deleteSlice(`${name}-1`);
        await missing();
        await world.put(...made("10.9.10.2"));
        await isFine(1);
        await reader.untilAddresses("10.9.10.2:50051");
      }),
  },
  {
    name: "a broken watch resumes from its version: no event is lost, and no list is requested",
    run: async (world, name) => {
      const { namespace, access } = world;
      await world.put(slice({ service: name, namespace, addresses: ["10.9.6.1"] }));
      const source = createKubernetesSource({ service: name, access, namespace });
      const reader = new SnapshotReader(source);
      try {
        await reader.untilAddresses("10.9.6.1:50051");
        await world.breakWatches();
        await world.put(slice({ service: name, namespace, addresses: ["10.9.6.2"] }));
        await reader.untilAddresses("10.9.6.2:50051");
        await world.breakWatches();
        await world.deleteSlice(`${name}-1`);
        await reader.untilAddresses();
        assert.equal(source.stats?.lists, 1, "lists");
      } finally {
        await reader.close();
      }
    },
  },
  {
    name: "a version that is compacted causes a new list, and the old set stays until then",
    isPossible: (world) => world.compact !== undefined,
    run: async (world, name) => {
      const { namespace, access } = world;
      await world.put(slice({ service: name, namespace, addresses: ["10.9.7.1"] }));
      const source = createKubernetesSource({ service: name, access, namespace });
      const reader = new SnapshotReader(source);
      try {
        await reader.untilAddresses("10.9.7.1:50051");
        world.compact?.();
        await world.breakWatches();
        await world.put(slice({ service: name, namespace, addresses: ["10.9.7.2"] }));
        await reader.untilAddresses("10.9.7.2:50051");
        assert.equal(source.stats?.lists, 2, "lists");
        assert.ok(
          reader.snapshots.every(({ endpoints }) => endpoints?.length === 1),
          "the set was never empty",
        );
      } finally {
        await reader.close();
      }
    },
  },
  {
    name: "the error of a denied request contains user, verb, resource and namespace",
    run: async (world, name) => {
      const { access, user } = await world.stranger();
      const { namespace } = world;
      const reader = new SnapshotReader(createKubernetesSource({ service: name, access, namespace }));
      try {
        const { error, endpoints } = await reader.until("an error", (snapshot) => snapshot.error !== undefined);
        assert.deepEqual([error?.code, error?.status, endpoints], ["permissionDenied", 403, undefined]);
        assert.equal(
          error?.message,
          `kubernetes: list endpointslices ${namespace}/${name}: 403 Forbidden: endpointslices.discovery.k8s.io is forbidden: ` +
            `User "${user}" cannot list resource "endpointslices" in API group "discovery.k8s.io" in the namespace "${namespace}"`,
        );
      } finally {
        await reader.close();
      }
    },
  },
  {
    name: "the endpoints of a watch equal those of a new list, in the same order",
    run: (world, name) =>
      reading(world, { service: name }, async (watching) => {
        await watching.untilAddresses();
        const { namespace } = world;
        for (let n = 0; n < 12; n++) {
          const addresses = Array.from({ length: (n % 4) + 1 }, (_, i) => `10.9.8.${(n * 7 + i * 3) % 20}`);
          await world.put(slice({ service: name, namespace, name: `${name}-${n % 5}`, addresses }));
          if (n % 5 === 4) await world.deleteSlice(`${name}-${n % 3}`);
        }
        await world.put(slice({ service: name, namespace, name: `${name}-last`, addresses: ["10.9.8.99"] }));
        const watched = await watching.until(
          "the last",
          () => watching.addresses?.includes("10.9.8.99:50051") ?? false,
        );
        // Another access object, so another watch, which begins with a list.
        await reading({ ...world, access: { ...world.access } }, { service: name }, async (listing) => {
          const listed = await listing.until("a list", ({ endpoints }) => endpoints !== undefined);
          assert.deepEqual(listed.endpoints, watched.endpoints);
        });
      }),
  },
  {
    name: "a watch can be closed in any state",
    run: async (world, name) => {
      await world.put(slice({ service: name, namespace: world.namespace, addresses: ["10.9.9.1"] }));
      for (const afterMs of [0, 1, 2, 4, 8, 16, 32]) {
        const { access, namespace } = world;
        const reader = new SnapshotReader(createKubernetesSource({ service: name, access, namespace }));
        if (afterMs > 0) await new Promise((resolve) => setTimeout(resolve, afterMs));
        const count = reader.snapshots.length;
        await reader.close();
        assert.ok(reader.snapshots.length <= count + 1, "no snapshot after the close");
      }
    },
  },
];
