/**
 * The behaviours of discovery's fake API server and those of every source, on the real API server of kubectl's current context:
 * in a namespace of their own, with slices written by hand, so that no pod is needed. Run by
 * `node --test libs/discovery/e2e/conformance.e2e.ts`.
 */
import { after, before, describe, test } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { behaviours, sourceBehaviours } from "../testing/index.ts";
import { ApiServer, whyNoApiServer } from "./api-server.ts";

const skip = (await whyNoApiServer()) ?? false;
let api: ApiServer;

before(async () => {
  if (!skip) api = await ApiServer.open();
});
after(async () => {
  if (skip) return;
  await api.close();
  await assertNothingLeft();
});

// Most of the time they wait for an answer or a deadline, so they do it together.
const options = { skip, concurrency: 4, timeout: 120_000 };

describe("the API server", options, () => {
  for (const [i, { name, run, isPossible }] of behaviours.entries()) {
    test(name, (t) =>
      api.on(async (world) => {
        if (isPossible && !isPossible(world)) return t.skip("this API server cannot be made to");
        await run(world, `service-${i}`);
      }),
    );
  }
});

describe("the API server, as any source's", options, () => {
  for (const [i, { name, cannot, run }] of sourceBehaviours.entries()) {
    test(name, (t) =>
      api.onAsSource(`any-${i}`, async (world) => {
        const why = cannot(world);
        if (why !== undefined) return t.skip(why);
        await run(world, `any-${i}`);
      }),
    );
  }
});
