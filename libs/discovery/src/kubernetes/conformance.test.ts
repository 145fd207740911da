import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { assertNothingLeft } from "@grpc-lb/runtime/testing";
import { behaviours, FakeApiServer, type World } from "../../testing/index.ts";

afterEach(assertNothingLeft);

for (const [i, { name, run, isPossible }] of behaviours.entries()) {
  test(name, async () => {
    const api = await FakeApiServer.start();
    const stranger = "system:serviceaccount:default:stranger";
    const world: World = {
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
    assert.ok(isPossible?.(world) ?? true);
    await run(world, `service-${i}`);
    await api.close();
  });
}
