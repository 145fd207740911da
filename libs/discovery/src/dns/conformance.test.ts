import { after, describe, test } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { sourceIn } from "../../testing/context.ts";
import { FakeDnsServer } from "../../testing/dns/fake-dns-server.ts";
import { fasterClock } from "../../testing/faster-clock.ts";
import { type SourceWorld, sourceBehaviours } from "../../testing/source-conformance.ts";
import { defineDnsPollSource } from "./source.ts";

after(assertNothingLeft);

/** Shortens the pause of at least a second between two lookups. */
const times = 20;
const clock = fasterClock(times);

/** A service is a name, which stays when it has no addresses. */
function createWorld(dns: FakeDnsServer): SourceWorld {
  const names = new Map<string, Set<string>>();
  const change = async (service: string, by: (hosts: Set<string>) => void) => {
    const hosts = names.get(service) ?? new Set();
    names.set(service, hosts);
    by(hosts);
    dns.set(`${service}.example`, { A: [...hosts], ttlSeconds: 1 });
  };
  const create = (service: string) =>
    sourceIn(defineDnsPollSource, {
      ...{ name: `${service}.example`, port: 50_051, server: dns.address },
      ...{ refreshMs: 1_000, timeoutMs: 4_000, clock },
    });
  return {
    createSource(service) {
      void change(service, () => {});
      return create(service);
    },
    put: (service, { address }) => change(service, (hosts) => hosts.add(address.host)),
    remove: (service, { host }) => change(service, (hosts) => hosts.delete(host)),
    hasWeights: false,
    outage: { stop: () => dns.close(), start: () => dns.start() },
    outageMs: 30_000 / times,
    freeze: {
      async begin() {
        dns.fault = { t: "silence" };
      },
      async end() {
        dns.fault = undefined;
      },
    },
    async restartEmpty() {
      for (const service of names.keys()) await change(service, (hosts) => hosts.clear());
    },
    async stranger(service) {
      dns.fault = { t: "code", code: "REFUSED" };
      const admit = async () => {
        dns.fault = undefined;
      };
      return { source: create(service), admit };
    },
  };
}

// Most of the time they wait for a deadline, so they do it together; each has a server of its own.
describe("a name server", { concurrency: 8, timeout: 60_000 }, () => {
  for (const { name, cannot, run } of sourceBehaviours) {
    test(name, async (t) => {
      const dns = await FakeDnsServer.start();
      try {
        const world = createWorld(dns);
        const why = cannot(world);
        if (why !== undefined) return t.skip(why);
        await run(world, "web");
      } finally {
        await dns.close();
      }
    });
  }
});
