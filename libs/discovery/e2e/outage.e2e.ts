/**
 * Half a minute without the server, on the real ones: etcd and Consul are killed, and the API server of kubectl's current context
 * cannot be reached; a fake control plane too. All at the same time; each is skipped, and says so, where there is none.
 */
import { describe, test } from "node:test";
import { whyNoConsul } from "../testing/consul/real-agent.ts";
import { onRealAgent } from "../testing/consul/world.ts";
import { EtcdServer, etcdIsMissing } from "../testing/etcd/etcd-server.ts";
import { createEtcdWorld } from "../testing/etcd/world.ts";
import { outageBehaviour, type SourceWorld } from "../testing/index.ts";
import { createXdsWorld } from "../testing/xds/world.ts";
import { ApiServer, whyNoApiServer } from "./api-server.ts";

const outageMs = 30_000;
const hold = (world: SourceWorld) => outageBehaviour.run({ ...world, outageMs }, "web");

describe(`for 30 s: ${outageBehaviour.name}`, { concurrency: 5, timeout: 90_000 }, async () => {
  test("Kubernetes", { skip: (await whyNoApiServer()) ?? false }, async () => {
    const api = await ApiServer.open();
    await api.onAsSource("web", hold).finally(() => api.close());
  });

  test("etcd", { skip: etcdIsMissing ?? false }, async () => {
    const server = await EtcdServer.start();
    await hold(createEtcdWorld(server)).finally(() => server.close());
  });

  for (const protocol of ["delta", "sotw"] as const) {
    test(`xDS, ${protocol}`, async () => {
      const { world, close } = await createXdsWorld(protocol, undefined);
      await hold(world).finally(close);
    });
  }

  test("Consul", { skip: (await whyNoConsul()) ?? false }, () => onRealAgent(hold));
});
