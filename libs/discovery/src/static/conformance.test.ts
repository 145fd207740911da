import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { type SourceWorld, sourceBehaviours, type WorldInstance } from "../../testing/source-conformance.ts";
import { createStaticSource } from "./source.ts";

afterEach(assertNothingLeft);

/** A service is what was put before its source was made. */
function createWorld(): SourceWorld {
  const services = new Map<string, WorldInstance[]>();
  return {
    createSource: (service) => createStaticSource({ endpoints: services.get(service) ?? [] }),
    async put(service, instance) {
      services.set(service, [...(services.get(service) ?? []), instance]);
    },
    remove: async () => assert.fail("endpoints that never change cannot be removed"),
    hasWeights: true,
  };
}

/** All others are about what happens to a source while it is read, and to this one nothing does: no server, and no change. */
const [closing, ...more] = sourceBehaviours.filter(({ name }) => name.includes("closed in any state"));
assert.ok(closing && more.length === 0, "the behaviour has been renamed");

test(closing.name, () => closing.run(createWorld(), "web"));
