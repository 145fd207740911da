import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { behaviours, FakeApiServer, sourceBehaviours, type World } from "../../testing/index.ts";
import { onFakeApiServer } from "../../testing/kubernetes/world.ts";

after(assertNothingLeft);

function createWorld(api: FakeApiServer): World {
  const stranger = "system:serviceaccount:default:stranger";
  return {
    access: api.access,
    namespace: "default",
    async put(...objects) {
      for (const object of objects) {
        if (object.kind === "Service") api.putService(object);
        else api.putSlice(object);
      }
    },
    deleteSlice: async (slice) => api.deleteSlice(slice),
    deleteService: async (service) => api.deleteService(service),
    breakWatches: async () => {
      await api.until(({ openWatches }) => openWatches > 0);
      api.breakWatches();
    },
    compact: () => api.compact(),
    async stranger() {
      for (const verb of ["get", "list", "watch"] as const) api.forbid(verb, "endpointslices", stranger);
      return { access: api.access, user: stranger };
    },
  };
}

describe("a fake API server", { concurrency: 8, timeout: 60_000 }, () => {
  for (const { name, run, isPossible } of behaviours) {
    test(name, async () => {
      const api = await FakeApiServer.start();
      try {
        const world = createWorld(api);
        assert.ok(isPossible?.(world) ?? true);
        await run(world, "server");
        await api.until(({ connections }) => connections === 0);
      } finally {
        await api.close();
      }
    });
  }
});

describe("a fake API server, as any source's", { concurrency: 8, timeout: 60_000 }, () => {
  for (const { name, cannot, run } of sourceBehaviours) {
    test(name, (t) =>
      onFakeApiServer("web", async (world) => {
        const why = cannot(world);
        if (why !== undefined) return t.skip(why);
        await run(world, "web");
      }),
    );
  }
});
