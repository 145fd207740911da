/**
 * Fakes of a cluster and conformance tests, for tests and the lab.
 *
 * ```ts
 * import { createKubernetesSource } from "@grpc-lb/discovery/kubernetes";
 * import { FakeApiServer, slice } from "@grpc-lb/discovery/testing";
 *
 * const api = await FakeApiServer.start();
 * api.putSlice(slice({ service: "server", addresses: ["127.0.0.1"], ports: [{ name: "grpc", port: 50_051 }] }));
 * const source = createKubernetesSource({ service: "server", access: api.access });
 * for await (const { endpoints } of source.watch()) if (endpoints?.length === 1) break;
 * await api.close();
 * ```
 */

export type { RecordType, ResponseCode, ServiceRecord } from "./dns/dns-message.ts";
export { type DnsFault, type DnsQuery, type DnsRecords, FakeDnsServer } from "./dns/fake-dns-server.ts";
export { type Behaviour, behaviours, type World } from "./kubernetes/conformance.ts";
export { FakeApiServer, type FakeCounts } from "./kubernetes/fake-api-server.ts";
export type { RefuseOptions } from "./kubernetes/fake-faults.ts";
export type { FakeRequest, Verb } from "./kubernetes/fake-request.ts";
export type { Resource } from "./kubernetes/fake-store.ts";
export {
  type SliceOptions,
  type SlicePod,
  type StoredEndpoint,
  type StoredPort,
  type StoredService,
  type StoredSlice,
  service,
  slice,
  slices,
} from "./kubernetes/slices.ts";
export { SnapshotReader } from "./snapshot-reader.ts";
export {
  outageBehaviour,
  type SourceBehaviour,
  type SourceWorld,
  sourceBehaviours,
  type WorldInstance,
} from "./source-conformance.ts";
