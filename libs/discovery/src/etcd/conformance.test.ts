import { after, describe, test } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { EtcdServer, etcdIsMissing } from "../../testing/etcd/etcd-server.ts";
import { createEtcdWorld } from "../../testing/etcd/world.ts";
import { sourceBehaviours } from "../../testing/source-conformance.ts";

after(assertNothingLeft);

// Most of the time they wait for a deadline, so they do it together; each has a server of its own.
describe("a real etcd", { skip: etcdIsMissing ?? false, concurrency: 4, timeout: 60_000 }, () => {
  for (const { name, cannot, run } of sourceBehaviours) {
    test(name, async (t) => {
      const server = await EtcdServer.start();
      try {
        const world = createEtcdWorld(server);
        const why = cannot(world);
        if (why !== undefined) return t.skip(why);
        await run(world, "web/v1");
      } finally {
        await server.close();
      }
    });
  }
});
