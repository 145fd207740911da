import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import type { Address } from "../src/core/snapshot.ts";
import type { Source } from "../src/core/source.ts";
import { SnapshotReader } from "./snapshot-reader.ts";

/**
 * A registry and its faults: a real server, a fake, or another input of a source. A fault that a test cannot cause is undefined,
 * and the behaviours that need it are skipped. The sources need short deadlines, so that they notice each fault within 10 s.
 */
export interface SourceWorld {
  /** A new source, with the right credentials. */
  createSource(service: string): Source;
  /** Writes an instance, or replaces it; it stays until it is removed. */
  put(service: string, instance: WorldInstance): Promise<void>;
  /** Removes an instance. */
  remove(service: string, address: Address): Promise<void>;
  /** Whether instances have weights. */
  readonly hasWeights: boolean;
  readonly outage?: {
    /** Stops the server. */
    stop(): Promise<void>;
    /** Starts it again, with its data. */
    start(): Promise<void>;
  };
  /** How long an outage lasts after a source has noticed it, in milliseconds. Default: 0. */
  readonly outageMs?: number;
  readonly freeze?: {
    /** Makes the server accept requests without an answer. */
    begin(): Promise<void>;
    /** Makes it answer again. */
    end(): Promise<void>;
  };
  /** Stops the server and starts it without data. */
  readonly restartEmpty?: () => Promise<void>;
  /** Disconnects the sources, calls `meanwhile`, makes the version that they resume from too old, and lets them reconnect. */
  readonly outdate?: (meanwhile: () => Promise<void>) => Promise<void>;
  /** A source with wrong credentials. */
  readonly stranger?: (service: string) => Promise<{
    readonly source: Source;
    /** Makes its credentials right. */
    admit(): Promise<void>;
  }>;
  /** Resolves when no source has a connection to the server. */
  readonly untilLeft?: () => Promise<void>;
}

/** An instance that a world has. */
export interface WorldInstance {
  readonly address: Address;
  /** Default: that of the registry. */
  readonly weight?: number;
}

/** A behaviour of every source, on every server. */
export interface SourceBehaviour {
  readonly name: string;
  /** Returns why it cannot be tested in this world; undefined if it can. */
  readonly cannot: (world: SourceWorld) => string | undefined;
  /** Runs it, with a service that no other behaviour uses. */
  readonly run: (world: SourceWorld, service: string) => Promise<void>;
}

const at = (n: number): Address => ({ host: `10.9.0.${n}`, port: 50_051 });
const text = (...ns: readonly number[]) => ns.map((n) => `10.9.0.${n}:50051`);
const always = () => undefined;
const needs = (fault: keyof SourceWorld, what: string) => (world: SourceWorld) =>
  world[fault] ? undefined : `${what} cannot be caused`;

const put = (world: SourceWorld, service: string, ...ns: readonly number[]) =>
  Promise.all(ns.map((n) => world.put(service, { address: at(n) })));

/** Reads a source during `run`, then ends the watch, and waits until the source has no connection. */
async function reading(world: SourceWorld, source: Source, run: (reader: SnapshotReader) => Promise<void>) {
  const reader = new SnapshotReader(source);
  try {
    await run(reader);
  } finally {
    await reader.close();
  }
  await world.untilLeft?.();
}

/** Fails unless every snapshot since `from` has the last good set, and the newest has that set and an error. */
async function assertKept(reader: SnapshotReader, from: number, ...ns: readonly number[]): Promise<void> {
  await reader.until("an error", ({ error }) => error !== undefined);
  const sets = reader.snapshots.slice(from).map(({ endpoints }) => endpoints?.length);
  assert.ok(
    sets.every((count) => count === ns.length),
    `the last good set of ${ns.length} is kept; got ${sets.join(", ")}`,
  );
  assert.deepEqual([...(reader.addresses ?? [])].sort(), text(...ns));
}

/** The outage lasts `outageMs` of the world. */
export const outageBehaviour: SourceBehaviour = {
  name: "while the server is down, the last set stays and an error is reported; later changes are published when the server is back",
  cannot: needs("outage", "an outage"),
  run: (world, service) =>
    reading(world, world.createSource(service), async (reader) => {
      await put(world, service, 1, 2);
      await reader.untilAddresses(...text(1, 2));
      const from = reader.snapshots.length;
      await world.outage?.stop();
      await assertKept(reader, from, 1, 2);
      await delay(world.outageMs ?? 0);
      await assertKept(reader, from, 1, 2);
      assert.equal(reader.last?.error?.code, "unavailable");
      await world.outage?.start();
      await world.remove(service, at(1));
      await put(world, service, 3);
      await reader.untilAddresses(...text(2, 3));
      await reader.until("no error", ({ error }) => error === undefined);
    }),
};

/** The behaviours of every source. */
export const sourceBehaviours: readonly SourceBehaviour[] = [
  {
    name: "a service without instances is published at once as an empty set; instances that appear and disappear are published",
    cannot: always,
    run: (world, service) =>
      reading(world, world.createSource(service), async (reader) => {
        await reader.untilAddresses();
        await put(world, service, 1);
        await reader.untilAddresses(...text(1));
        await put(world, service, 2);
        await reader.untilAddresses(...text(1, 2));
        await world.remove(service, at(1));
        await reader.untilAddresses(...text(2));
        await world.remove(service, at(2));
        await reader.untilAddresses();
        assert.equal(reader.last?.error, undefined);
      }),
  },
  {
    name: "a service has no instances of another service whose name starts with its own",
    cannot: always,
    run: async (world, service) => {
      await put(world, `${service}2`, 1);
      await reading(world, world.createSource(service), async (reader) => {
        await put(world, service, 2);
        await reader.untilAddresses(...text(2));
        await put(world, `${service}2`, 3);
        await put(world, service, 4);
        await reader.untilAddresses(...text(2, 4));
        assert.ok(!JSON.stringify(reader.snapshots).includes("10.9.0.3"), "no instance of the other service");
      });
    },
  },
  {
    name: "a changed weight is published, and endpoints that did not change are the same objects",
    cannot: (world) => (world.hasWeights ? undefined : "instances have no weights"),
    run: (world, service) =>
      reading(world, world.createSource(service), async (reader) => {
        const weights = () => new Map(reader.last?.endpoints?.map((each) => [each.addresses[0]?.host, each.weight]));
        const other = () => reader.last?.endpoints?.find(({ addresses }) => addresses[0]?.host === at(2).host);
        await world.put(service, { address: at(1), weight: 1 });
        await world.put(service, { address: at(2), weight: 2 });
        await reader.until("weights 1 and 2", () => weights().get(at(1).host) === 1 && weights().get(at(2).host) === 2);
        const before = other();
        await world.put(service, { address: at(1), weight: 5 });
        await reader.until("weight 5", () => weights().get(at(1).host) === 5);
        assert.equal(other(), before);
        assert.deepEqual(reader.addresses?.toSorted(), text(1, 2));
      }),
  },
  {
    name: "the last state of a burst is published, in the same order as by a new source, and no snapshot is published twice",
    cannot: always,
    run: (world, service) =>
      reading(world, world.createSource(service), async (reader) => {
        await reader.untilAddresses();
        const all = Array.from({ length: 40 }, (_, n) => n + 1);
        await put(world, service, ...all);
        await Promise.all(all.filter((n) => n % 2 === 0).map((n) => world.remove(service, at(n))));
        const watched = await reader.untilAddresses(...text(...all.filter((n) => n % 2 === 1)));
        const sets = reader.snapshots.map(({ endpoints, error }) => JSON.stringify([endpoints, error?.message]));
        assert.ok(
          sets.every((each, n) => n === 0 || each !== sets[n - 1]),
          "each snapshot differs from the one before",
        );
        const ids = watched.endpoints?.map(({ id }) => id);
        await reader.close();
        await reading(world, world.createSource(service), async (again) => {
          const listed = await again.until("a set", ({ endpoints }) => endpoints !== undefined);
          assert.deepEqual(
            listed.endpoints?.map(({ id }) => id),
            ids,
          );
        });
      }),
  },
  outageBehaviour,
  {
    name: "while the server is down at the start, an error without a set is published; the set is published when the server is back",
    cannot: needs("outage", "an outage"),
    run: async (world, service) => {
      await put(world, service, 1);
      await world.outage?.stop();
      await reading(world, world.createSource(service), async (reader) => {
        const { endpoints, error } = await reader.until("an error", (snapshot) => snapshot.error !== undefined);
        assert.deepEqual([endpoints, error?.code], [undefined, "unavailable"]);
        await world.outage?.start();
        await reader.untilAddresses(...text(1));
        await reader.until("no error", (snapshot) => snapshot.error === undefined);
      });
    },
  },
  {
    name: "while the server is frozen, the last set stays and an error is reported; later changes are published when it answers again",
    cannot: needs("freeze", "a freeze"),
    run: (world, service) =>
      reading(world, world.createSource(service), async (reader) => {
        await put(world, service, 1, 2);
        await reader.untilAddresses(...text(1, 2));
        const from = reader.snapshots.length;
        await world.freeze?.begin();
        try {
          await assertKept(reader, from, 1, 2);
          assert.equal(reader.last?.error?.code, "unavailable");
        } finally {
          await world.freeze?.end();
        }
        await reader.until("no error", ({ error }) => error === undefined);
        await put(world, service, 3);
        await reader.untilAddresses(...text(1, 2, 3));
      }),
  },
  {
    name: "after the server lost its data, instances that are registered again are published, and lost ones are removed",
    cannot: needs("restartEmpty", "an empty restart"),
    run: (world, service) =>
      reading(world, world.createSource(service), async (reader) => {
        await put(world, service, 1, 2);
        await reader.untilAddresses(...text(1, 2));
        await world.restartEmpty?.();
        await put(world, service, 2);
        await reader.untilAddresses(...text(2));
        await world.remove(service, at(2));
        await put(world, service, 3, 4);
        await reader.untilAddresses(...text(3, 4));
        await reader.until("no error", ({ error }) => error === undefined);
      }),
  },
  {
    name: "when the version to resume from is too old, the changes are published, and the set is never empty",
    cannot: needs("outdate", "a compaction or the like"),
    run: (world, service) =>
      reading(world, world.createSource(service), async (reader) => {
        await put(world, service, 1, 2);
        await reader.untilAddresses(...text(1, 2));
        const from = reader.snapshots.length;
        await world.outdate?.(async () => {
          await put(world, service, 3);
          await world.remove(service, at(1));
        });
        await reader.untilAddresses(...text(2, 3));
        const sets = reader.snapshots.slice(from).map(({ endpoints }) => endpoints?.length ?? 0);
        assert.ok(Math.min(...sets) > 0, `the set was never empty; got ${sets.join(", ")}`);
        await put(world, service, 4);
        await reader.untilAddresses(...text(2, 3, 4));
        await reader.until("no error", ({ error }) => error === undefined);
      }),
  },
  {
    name: "wrong credentials are reported as permissionDenied, and right ones are used without a new source",
    cannot: needs("stranger", "a denied read"),
    run: async (world, service) => {
      const stranger = await world.stranger?.(service);
      if (!stranger) return;
      await reading(world, stranger.source, async (reader) => {
        const { endpoints, error } = await reader.until("an error", (snapshot) => snapshot.error !== undefined);
        assert.deepEqual([endpoints, error?.code], [undefined, "permissionDenied"], error?.message);
        await stranger.admit();
        await put(world, service, 1);
        await reader.untilAddresses(...text(1));
        await reader.until("no error", (snapshot) => snapshot.error === undefined);
      });
    },
  },
  {
    name: "a watch can be closed in any state: soon after its start, while it waits, in a freeze and in an outage",
    cannot: always,
    run: async (world, service) => {
      await put(world, service, 1);
      const closeAfter = async (turns: number) => {
        const reader = new SnapshotReader(world.createSource(service));
        for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
        const count = reader.snapshots.length;
        await reader.close();
        assert.ok(reader.snapshots.length <= count + 1, "no snapshot after the close");
      };
      const closeSoon = async () => {
        for (const turns of [0, 1, 2, 4, 8, 16, 32, 64, 128]) await closeAfter(turns);
      };
      await closeSoon();
      await reading(world, world.createSource(service), async (reader) => {
        await reader.untilAddresses(...text(1));
      });
      if (world.freeze) {
        await world.freeze.begin();
        try {
          await closeSoon();
        } finally {
          await world.freeze.end();
        }
      }
      if (world.outage) {
        await world.outage.stop();
        try {
          await closeSoon();
        } finally {
          await world.outage.start();
        }
      }
      await world.untilLeft?.();
    },
  },
];
