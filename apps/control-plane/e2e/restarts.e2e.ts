/**
 * Another control plane in the place of one, as our own client and those that nobody here wrote see it:
 * `node --test apps/control-plane/e2e/restarts.e2e.ts`. A client that cannot be had is skipped with the reason.
 */
import { after } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { backoffMs, podsOf, splitBetween, story, type Told, untilAccepted } from "./story.ts";

after(assertNothingLeft);

story("one with the same resources: no call fails, and none is lost", async ({ world }) => {
  const { calls, controlPlane } = world;
  await controlPlane.kill();
  await controlPlane.start();
  await untilAccepted(world, ["v1", "v2"]);
  await calls.settlesOn(["a1", "a2", "b1"]);
  await world.list("v1", "a2", "a3");
  await calls.settlesOn(["a2", "a3", "b1"]);
});

story("one with a service more, and one with a service less: no call fails, and clients follow", async (told) => {
  await replace(told, ["v1", "v2", "v3"], ["v2", "v3"], ["v1", "v2", "v3"], ["v1", "v2"]);
});

story(
  "one with another service in the place of one: no call fails, and clients follow",
  (told) => replace(told, ["v2", "v3"], ["v1", "v2"], ["v2", "v3"]),
  {
    ignoresDeletion: true,
    without: ({ isProxy, protocol }) =>
      isProxy && protocol === "sotw"
        ? "by the state of the world Envoy drops a cluster before it has the routes without it, or gets routes before the cluster"
        : undefined,
  },
);

/** Control planes with these services follow each other. */
async function replace({ world, t }: Told, ...changes: readonly Parameters<typeof podsOf>[0][]): Promise<void> {
  const followMs: number[] = [];
  for (const services of changes) {
    await world.controlPlane.stop();
    await world.configure(splitBetween(services));
    await world.controlPlane.start();
    const sinceMs = performance.now();
    await world.calls.settlesOn(podsOf(services), backoffMs);
    followMs.push(Math.round(performance.now() - sinceMs));
    await untilAccepted(world, services);
  }
  t.diagnostic(`followed within ${followMs.join(", ")} ms`);
}
