import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type ForeignClientKind, foreignClients } from "@grpc-lb/xds/testing/foreign";
import { ownClient } from "./own-client.ts";
import { type Services, startWorld, type World } from "./world.ts";

/** What a story changes, and where it says what it measures. */
export interface Told {
  readonly world: World;
  readonly t: TestContext;
}

/** How a story is told. */
export interface StoryOptions {
  /** Why it cannot be told of a kind of client; undefined when it can. */
  readonly without?: (kind: ForeignClientKind) => string | undefined;
  readonly ignoresDeletion?: boolean;
}

/** The pods of each service. */
const sources = { v1: ["a1", "a2"], v2: ["b1"], v3: ["c1"] };
type Service = keyof typeof sources;
const kinds = [...(await foreignClients()), ownClient];

/**
 * A story without a failed call and without a rejection, of our own client and of those that nobody here wrote, at the same time, each
 * with a control plane of its own. It begins with calls to the services v1 and v2.
 */
export function story(name: string, tell: (told: Told) => Promise<void>, options: StoryOptions = {}): void {
  const { without, ...more } = options;
  describe(name, { concurrency: true }, () => {
    for (const kind of kinds) {
      test(kind.name, { skip: kind.missing ?? without?.(kind) ?? false, timeout: 600_000 }, async (t) => {
        await using world = await startWorld({ kind, sources, services: splitBetween(["v1", "v2"]), ...more });
        await world.calls.settlesOn(podsOf(["v1", "v2"]));
        await tell({ world, t });
        world.calls.assertNoneFailed();
        assert.deepEqual(world.controlPlane.rejections(), []);
        const { count, ownFailures } = world.calls;
        t.diagnostic(`${kind.name}: ${count} calls, ${ownFailures} failed by a fault of the client`);
      });
    }
  });
}

/** The calls go to these services alike. */
export function splitBetween(names: readonly Service[]): Services {
  return (target) => ({
    ...Object.fromEntries(names.map((name) => [name, { target: target(name) }])),
    server: { split: Object.fromEntries(names.map((name) => [name, 1])) },
  });
}

export const podsOf = (names: readonly Service[]): readonly string[] => names.flatMap((name) => sources[name]);

/** Resolves when the client has accepted the resources of these services, and has no others. */
export async function untilAccepted({ controlPlane, kind }: World, names: readonly Service[]): Promise<void> {
  const all = [
    ...names.map((name) => `Cluster ${name}`),
    ...names.map((name) => `ClusterLoadAssignment ${name}`),
    ...["Listener server", "RouteConfiguration server"],
  ];
  const expected = kind.readsEndpointsOnly ? ["ClusterLoadAssignment server"] : all;
  for (const endMs = performance.now() + backoffMs; ; await delay(100)) {
    const accepted = await controlPlane.resources();
    if (accepted.join() === expected.join()) return;
    if (performance.now() > endMs) assert.deepEqual(accepted, expected);
  }
}

/**
 * The longest that a client takes to come back. The pauses between attempts of gRPC grow up to 120 s, those of its stream and those of
 * its connection: after a minute without a control plane, grpc-go took 4 to 111 s.
 */
export const backoffMs = 300_000;
