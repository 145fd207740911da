import { after, afterEach, before, test } from "node:test";
import { assertNothingLeft } from "@grpc-lb/runtime/testing";
import { EtcdServer, etcdIsMissing } from "../../testing/etcd/etcd-server.ts";
import { createEtcdWorld, sourceOf } from "../../testing/etcd/etcd-world.ts";
import { type SourceWorld, sourceBehaviours } from "../../testing/source-conformance.ts";

const skip = etcdIsMissing ?? false;
let server: EtcdServer;
let world: SourceWorld;

before(async () => {
  if (skip) return;
  server = await EtcdServer.start();
  world = {
    ...createEtcdWorld(server),
    // The last of the behaviours that need a server without users.
    async stranger(service) {
      await server.enableAuth();
      await server.addUser("reader", "wrong");
      await server.addRole("reader", `${service}/`, "READ");
      await server.grantRole("reader", "reader");
      const credentials = { user: "reader", password: "right" };
      return {
        source: sourceOf(server, service, credentials),
        admit: () => server.changePassword("reader", "right"),
      };
    },
  };
});

after(async () => {
  if (!skip) await server.close();
});

afterEach(assertNothingLeft);

const last = (name: string) => (name.startsWith("wrong credentials") ? 1 : 0);
const behaviours = sourceBehaviours.toSorted((a, b) => last(a.name) - last(b.name));

for (const [n, { name, cannot, run }] of behaviours.entries()) {
  test(name, { skip }, async (t) => {
    const why = cannot(world);
    if (why !== undefined) return t.skip(why);
    await run(world, `behaviour/${n}`);
  });
}
