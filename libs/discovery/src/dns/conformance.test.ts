import { afterEach, test } from "node:test";
import { type Clock, systemClock } from "@grpc-lb/runtime";
import { assertNothingLeft } from "@grpc-lb/runtime/testing";
import { FakeDnsServer } from "../../testing/fake-dns-server.ts";
import { type SourceWorld, sourceBehaviours } from "../../testing/source-conformance.ts";
import { createDnsPollSource } from "./source.ts";

afterEach(assertNothingLeft);

/** The floor between two looks is a second, which is not worth waiting for. */
const fasterClock: Clock = {
  now: () => systemClock.now() * 20,
  sleep: (ms, signal, options) => systemClock.sleep(ms / 20, signal, options),
};

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
    createDnsPollSource({
      ...{ name: `${service}.example`, port: 50_051, server: dns.address },
      ...{ refreshMs: 1_000, timeoutMs: 4_000, clock: fasterClock },
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

for (const [n, { name, cannot, run }] of sourceBehaviours.entries()) {
  test(name, async (t) => {
    const dns = await FakeDnsServer.start();
    const world = createWorld(dns);
    const why = cannot(world);
    if (why === undefined) await run(world, `service-${n}`).finally(() => dns.close());
    else await dns.close();
    if (why !== undefined) t.skip(why);
  });
}
