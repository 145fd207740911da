import assert from "node:assert/strict";
import { systemClock } from "@grpc-lb/core";
import { turn } from "@grpc-lb/core/testing";
import { registerInConsul } from "../../src/consul/registration.ts";
import type { Registration, RegistrationStats } from "../../src/core/registration.ts";
import type { Address } from "../../src/core/snapshot.ts";
import { SnapshotReader } from "../snapshot-reader.ts";
import { startHealthServer } from "./health-server.ts";
import { requestAgent } from "./request-agent.ts";
import type { ConsulWorld } from "./world.ts";

/** A behaviour of every registration, on a fake agent and on a real one. */
export interface RegistrationBehaviour {
  readonly name: string;
  /** @param service that no other behaviour uses */
  readonly run: (world: ConsulWorld, service: string) => Promise<void>;
}

const address: Address = { host: "10.9.1.1", port: 50_051 };
const ttlMs = 1_000;

type Options = Omit<Parameters<typeof registerInConsul>[0], "agent" | "instance"> & { readonly address?: Address };

/** Registers an instance and reads its service during `run`, and then ends both. */
async function registered(
  world: ConsulWorld,
  service: string,
  { address: own = address, ...options }: Options,
  run: (registration: Registration, reader: SnapshotReader) => Promise<void>,
): Promise<void> {
  const { agent, credentials } = world;
  const instance = { service, address: own, ttlMs };
  const reader = new SnapshotReader(world.createSource(service));
  const registration = registerInConsul({ agent, credentials, ...options, instance });
  try {
    await run(registration, reader);
  } finally {
    await registration.close();
    await reader.close();
  }
  await world.untilLeft?.();
}

/** Polls the stats, because their changes have no event. @throws AssertionError after 10 s */
async function untilStats(registration: Registration, what: string, holds: (stats: RegistrationStats) => boolean) {
  const dueMs = performance.now() + 10_000;
  while (!holds(registration.stats)) {
    assert.ok(performance.now() < dueMs, `want ${what}; got ${JSON.stringify(registration.stats)}`);
    await systemClock.sleep(2);
  }
}

const text = ({ host, port }: Address) => `${host}:${port}`;

export const registrationBehaviours: readonly RegistrationBehaviour[] = [
  {
    name: "an instance is listed with tags, weight and metadata until its registration is closed, which may be done twice",
    run: async (world, service) => {
      const { agent, credentials } = world;
      const instance = {
        service,
        address: { host: "fd00::1", port: 80 },
        weight: 0.5,
        metadata: { zone: "a", podName: "p" },
      };
      const reader = new SnapshotReader(world.createSource(service, { tags: ["v1", "blue"] }));
      const registration = registerInConsul({ agent, credentials, tags: ["blue", "v1", "x"], instance });
      try {
        await registration.registered;
        const { endpoints: [endpoint] = [] } = await reader.untilAddresses("fd00::1:80");
        assert.deepEqual(
          [endpoint?.weight, endpoint?.zone, endpoint?.metadata],
          [0.5, "a", { serviceId: `${service}-fd00::1-80`, zone: "a", podName: "p" }],
        );
        assert.deepEqual(registration.stats, { isRegistered: true, registrations: 1, error: undefined });
        assert.equal(registration.subject, `${service} at [fd00::1]:80 in consul ${text(agent)}`);
      } finally {
        await Promise.all([registration.close(), registration.close()]);
      }
      await reader.untilAddresses();
      assert.equal(registration.stats.isRegistered, false);
      await reader.close();
      await world.untilLeft?.();
    },
  },
  {
    name: "an instance is registered again with an agent that lost its data, and the set was never empty",
    run: (world, service) =>
      registered(world, service, {}, async (registration, reader) => {
        await reader.untilAddresses(text(address));
        await registration.registered; // the answer of the agent may arrive after the snapshot
        const from = reader.snapshots.length;
        await world.restartEmpty();
        await untilStats(registration, "a second registration", ({ registrations }) => registrations === 2);
        await reader.until("no error", ({ error }) => error === undefined);
        const sets = reader.snapshots.slice(from).map(({ endpoints }) => endpoints?.length);
        assert.ok(!sets.includes(0), `got sets of ${sets.join(", ")}`);
      }),
  },
  {
    name: "an instance that another client removed is registered again",
    run: (world, service) =>
      registered(world, service, {}, async (registration, reader) => {
        await reader.untilAddresses(text(address));
        await registration.registered;
        await world.remove(service, address);
        await reader.untilAddresses();
        await reader.untilAddresses(text(address));
        await untilStats(registration, "a second registration", ({ registrations }) => registrations === 2);
      }),
  },
  {
    name: "an agent that is down at the start is an error, and the instance is registered when it is up",
    run: async (world, service) => {
      await world.outage.stop();
      await registered(world, service, {}, async (registration, reader) => {
        await untilStats(registration, "an error", ({ error }) => error !== undefined);
        assert.match(registration.stats.error ?? "", /^consul: register service \S+: 127\.0\.0\.1:\d+: .*ECONNREFUSED/);
        assert.equal(registration.stats.isRegistered, false);
        await world.outage.start();
        await registration.registered;
        await reader.untilAddresses(text(address));
        await untilStats(registration, "no error", ({ error }) => error === undefined);
      });
    },
  },
  {
    name: "a frozen agent is an error; after a TTL the instance counts as lost, and it returns when the agent answers again",
    run: (world, service) =>
      registered(world, service, {}, async (registration, reader) => {
        await reader.untilAddresses(text(address));
        await registration.registered;
        await world.freeze.begin();
        try {
          await untilStats(registration, "an error", ({ error }) => error !== undefined);
          assert.match(registration.stats.error ?? "", /nothing heard for/);
          await untilStats(registration, "a loss", ({ isRegistered }) => !isRegistered);
        } finally {
          await world.freeze.end();
        }
        await untilStats(registration, "no error", ({ error, isRegistered }) => isRegistered && !error);
        await reader.until("it, and no error", (snapshot) => !snapshot.error && snapshot.endpoints?.length === 1);
      }),
  },
  {
    name: "the error names the missing right, and the instance is registered when the token file has a token with that right",
    run: async (world, service) => {
      const { credentials, admit } = await world.outsider();
      await registered(world, service, { credentials }, async (registration) => {
        // Not the first error: with a TTL of 1 s an answer on a busy machine may be late.
        const named = /403 Forbidden: ACL not found; the token needs service:write on "/;
        await untilStats(registration, `an error like ${named}`, ({ error }) => named.test(error ?? ""));
        const { error = "" } = registration.stats;
        assert.ok(!error.includes("nonsense"), "the token is not repeated");
        await admit();
        await registration.registered;
      });
    },
  },
  {
    name: "a close ends soon in any state of the registration, also while the agent is down or frozen",
    run: async (world, service) => {
      const { agent, credentials } = world;
      const close = async (turns: number) => {
        const registration = registerInConsul({ agent, credentials, instance: { service, address, ttlMs } });
        for (let n = 0; n < turns; n++) await turn();
        const beganMs = performance.now();
        await registration.close();
        const tookMs = performance.now() - beganMs;
        assert.ok(tookMs < 3_000, `${tookMs} ms, with a TTL of 1 s`);
      };
      for (const turns of [0, 1, 2, 4, 8, 16, 32]) await close(turns);
      await world.freeze.begin();
      try {
        await Promise.all([0, 1, 8].map(close));
      } finally {
        await world.freeze.end();
      }
      await world.outage.stop();
      try {
        await Promise.all([0, 1, 8].map(close));
      } finally {
        await world.outage.start();
      }
      await world.untilLeft?.();
    },
  },
  {
    name: "with a gRPC check an instance is registered again with an agent that lost its data",
    run: async (world, service) => {
      const server = await startHealthServer();
      const check = { t: "grpc", timeoutMs: 500 } as const;
      try {
        await registered(world, service, { check, address: server.address }, async (registration) => {
          await registration.registered;
          await world.restartEmpty();
          await untilStats(registration, "a second registration", ({ registrations }) => registrations === 2);
          const token = world.credentials.token;
          const path = `/v1/agent/service/${service}-127.0.0.1-${server.address.port}`;
          assert.equal(JSON.parse(await requestAgent(world.agent, "GET", path, { token })).Service, service);
        });
      } finally {
        await server.close();
      }
    },
  },
];
