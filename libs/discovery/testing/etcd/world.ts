import { formatAddress } from "../../src/core/address.ts";
import type { Source } from "../../src/core/source.ts";
import { createEtcdSource, type EtcdCredentials } from "../../src/etcd/index.ts";
import type { SourceWorld } from "../source-conformance.ts";
import type { EtcdServer } from "./etcd-server.ts";

/** Short, so that tests are quick, but long enough that a busy machine does not count as a frozen etcd. */
const deadlines = { progressIntervalMs: 200, answerTimeoutMs: 1_000, missingGraceMs: 1_500 };

/** A source of a server, with short deadlines. */
export function sourceOf(server: EtcdServer, service: string, credentials: EtcdCredentials = {}): Source {
  return createEtcdSource({ endpoints: [server.endpoint], service, credentials, ...deadlines });
}

/** The value of an instance, as etcd's Go client writes it. */
export function goValue(address: string, metadata?: unknown): string {
  return JSON.stringify({ Op: 0, Addr: address, Metadata: metadata ?? null });
}

/** A real etcd, for the behaviours of sources. */
export function createEtcdWorld(server: EtcdServer): SourceWorld {
  return {
    createSource: (service) => sourceOf(server, service),
    put: (service, { address, weight }) => {
      const text = formatAddress(address);
      return server.put(`${service}/${text}`, goValue(text, weight === undefined ? undefined : { weight }));
    },
    remove: (service, address) => server.delete(`${service}/${formatAddress(address)}`),
    hasWeights: true,
    outage: { stop: () => server.stop(), start: () => server.start() },
    freeze: { begin: async () => server.freeze(), end: async () => server.thaw() },
    restartEmpty: () => server.restartEmpty(),
    async outdate(meanwhile) {
      await server.stop();
      // It serves on another port, so that the source cannot reach it.
      await server.startElsewhere(async () => {
        await meanwhile();
        await server.compact();
      });
    },
    async stranger(service) {
      await server.enableAuth();
      await server.addUser("reader", "wrong");
      await server.addRole("reader", `${service}/`, "READ");
      await server.grantRole("reader", "reader");
      const source = sourceOf(server, service, { user: "reader", password: "right" });
      return { source, admit: () => server.changePassword("reader", "right") };
    },
    untilLeft: () => server.untilWatches(0),
  };
}
