import { after, describe, test } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { registrationBehaviours } from "../../testing/consul/registration-behaviours.ts";
import { onFakeAgent } from "../../testing/consul/world.ts";
import { sourceBehaviours } from "../../testing/source-conformance.ts";

after(assertNothingLeft);

describe("a fake agent", { concurrency: 8, timeout: 60_000 }, () => {
  for (const { name, cannot, run } of sourceBehaviours) {
    test(name, (t) =>
      onFakeAgent(async (world) => {
        const why = cannot(world);
        if (why !== undefined) return t.skip(why);
        await run(world, "web");
      }),
    );
  }
  for (const { name, run } of registrationBehaviours) test(name, () => onFakeAgent((world) => run(world, "web")));
});
