import type { ServerCredentials } from "@grpc/grpc-js";
import { ClusterLoadAssignment } from "@grpc-lb/protos/envoy/config/endpoint/v3";
import { FakeControlPlane } from "@grpc-lb/xds/testing";
import { formatAddress } from "../../src/core/address.ts";
import type { Address } from "../../src/core/snapshot.ts";
import type { Source } from "../../src/core/source.ts";
import { createXdsSource, type XdsSourceOptions } from "../../src/xds/index.ts";
import type { SourceWorld } from "../source-conformance.ts";

const typeUrl = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";

/** Short, so that tests are quick, but long enough that a busy machine does not count as a frozen control plane. */
const deadlines = { connectTimeoutMs: 1_000, keepaliveMs: 300, keepaliveTimeoutMs: 1_000, missingGraceMs: 1_500 };

/** A source of a control plane on this machine, with short deadlines. */
export function sourceOf(fake: FakeControlPlane, name: string, more: Partial<XdsSourceOptions> = {}): Source {
  const controlPlane = { host: "127.0.0.1", port: fake.port };
  return createXdsSource({ controlPlane, name, credentials: {}, node: {}, ...deadlines, ...more });
}

/** An assignment, in which fields may be absent. */
export type PartialAssignment = Parameters<typeof ClusterLoadAssignment.fromPartial>[0];

/** An assignment on the wire. */
export function encodeAssignment(assignment: PartialAssignment): Uint8Array {
  return ClusterLoadAssignment.encode(ClusterLoadAssignment.fromPartial(assignment)).finish();
}

/** An endpoint of an assignment. */
export function lbEndpoint({ host, port }: Address, more: { readonly weight?: number; readonly health?: number } = {}) {
  const socket = { address: host, portSpecifier: { $case: "portValue", value: port } } as const;
  const address = { address: { $case: "socketAddress", value: socket } } as const;
  return {
    hostIdentifier: { $case: "endpoint", value: { address } },
    healthStatus: (more.health ?? 0) as 0,
    loadBalancingWeight: more.weight,
  } as const;
}

/** Serves an assignment of this name. */
export function serve(fake: FakeControlPlane, name: string, assignment: Omit<PartialAssignment, "clusterName">): void {
  fake.set(typeUrl, name, encodeAssignment({ ...assignment, clusterName: name }));
}

/** A control plane, for the behaviours of sources. A service that it does not know is one without endpoints. */
export async function createXdsWorld(
  protocol: "delta" | "sotw",
  tls: { readonly server: ServerCredentials; readonly client: XdsSourceOptions["credentials"] } | undefined,
): Promise<{ readonly world: SourceWorld; close(): Promise<void> }> {
  const fake = await FakeControlPlane.start(tls?.server);
  const services = new Map<string, Map<string, { readonly address: Address; readonly weight?: number }>>();
  const credentials = tls?.client ?? {};
  fake.serves = { delta: protocol === "delta", sotw: protocol === "sotw" };
  fake.fallback = (_, name) => encodeAssignment({ clusterName: name });
  const push = (service: string) => {
    const instances = [...(services.get(service)?.values() ?? [])];
    const lbEndpoints = instances.map(({ address, weight }) =>
      lbEndpoint(address, weight === undefined ? {} : { weight }),
    );
    serve(fake, service, { endpoints: [{ lbEndpoints }] });
  };
  const world: SourceWorld = {
    createSource: (service) => sourceOf(fake, service, { credentials }),
    async put(service, instance) {
      const ofService = services.get(service) ?? new Map();
      services.set(service, ofService.set(formatAddress(instance.address), instance));
      push(service);
    },
    async remove(service, address) {
      services.get(service)?.delete(formatAddress(address));
      push(service);
    },
    hasWeights: true,
    outage: { stop: () => fake.relay.stop(), start: () => fake.relay.start() },
    freeze: { begin: async () => fake.relay.freeze(), end: async () => fake.relay.thaw() },
    async restartEmpty() {
      await fake.relay.stop();
      services.clear();
      fake.clear();
      await fake.relay.start();
    },
    async outdate(meanwhile) {
      await fake.relay.stop();
      await meanwhile();
      fake.forgetVersions();
      await fake.relay.start();
    },
    ...(tls && {
      async stranger(service: string) {
        fake.token = "another";
        const admit = async () => {
          fake.token = "right";
        };
        return { source: sourceOf(fake, service, { credentials }), admit };
      },
    }),
    untilLeft: () => fake.untilStreams(0),
  };
  return { world, close: () => fake.close() };
}
