import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { assertNothingLeft, closedPort, turn, until } from "@grpc-lb/core/testing";
import { startProgram } from "@grpc-lb/program/testing";
import { EtcdServer, etcdIsMissing } from "../../testing/etcd/etcd-server.ts";
import { sourceOf } from "../../testing/etcd/world.ts";
import { SnapshotReader } from "../../testing/snapshot-reader.ts";
import type { Instance, Registration } from "../core/registration.ts";
import { type EtcdRegistrationOptions, registerInEtcd } from "./index.ts";

after(assertNothingLeft);

const address = { host: "10.0.0.1", port: 80 };
const at = "10.0.0.1:80";

/** A test's own etcd, and what is done with it. */
interface Rig {
  readonly server: EtcdServer;
  /** Registers with a TTL of a second, so that an attempt to keep it alive comes each third of it. */
  register(instance: Partial<Instance> & { service: string }, options?: Partial<EtcdRegistrationOptions>): Registration;
  /** Reads a service while `run` goes on. */
  reading(service: string, run: (reader: SnapshotReader) => Promise<void>): Promise<void>;
}

const onEtcd = (run: (rig: Rig) => Promise<void>) => async () => {
  const server = await EtcdServer.start();
  try {
    await run({
      server,
      register: (instance, options = {}) =>
        registerInEtcd({
          ...{ endpoints: [server.endpoint], credentials: {}, instance: { address, ttlMs: 1_000, ...instance } },
          ...options,
        }),
      async reading(service, read) {
        const reader = new SnapshotReader(sourceOf(server, service));
        try {
          await read(reader);
        } finally {
          await reader.close();
        }
      },
    });
  } finally {
    await server.close();
  }
};

// Most of the time they wait for a TTL, so they do it together.
describe("a registration in a real etcd", { skip: etcdIsMissing ?? false, concurrency: 4, timeout: 60_000 }, () => {
  test(
    "a registration is a key with a lease, as etcd's Go client writes it, and its close takes it away",
    onEtcd(async ({ server, register, reading }) => {
      await reading("plain", async (reader) => {
        await reader.untilAddresses();
        const registration = register({ service: "plain", weight: 3, metadata: { zone: "a" } });
        assert.equal(registration.subject, `plain at ${at} in etcd ${server.endpoint}`);
        await registration.registered;
        const found = (await server.read("plain/")).get(`plain/${at}`);
        assert.equal(found?.value, '{"Op":0,"Addr":"10.0.0.1:80","Metadata":{"zone":"a","weight":3}}');
        assert.notEqual(found?.lease, "0");
        const { endpoints } = await reader.untilAddresses(at);
        assert.deepEqual([endpoints?.[0]?.weight, endpoints?.[0]?.zone], [3, "a"]);
        assert.deepEqual(registration.stats, { isRegistered: true, registrations: 1, error: undefined });
        await Promise.all([registration.close(), registration.close()]);
        assert.deepEqual(registration.stats, { isRegistered: false, registrations: 1, error: undefined });
        assert.equal((await server.read("plain/")).size, 0);
        await reader.untilAddresses();
      });
    }),
  );

  test(
    "it outlives its TTL, and is brought back when its key is deleted and when its lease is revoked",
    onEtcd(async ({ server, register, reading }) => {
      await reading("healed", async (reader) => {
        const registration = register({ service: "healed" });
        await reader.untilAddresses(at);
        await server.delete(`healed/${at}`);
        await until(() => registration.stats.registrations === 2 && registration.stats.isRegistered, "twice");
        await reader.untilAddresses(at);
        await server.revoke((await server.read("healed/")).get(`healed/${at}`)?.lease ?? "");
        await until(() => registration.stats.registrations === 3 && registration.stats.isRegistered, "thrice");
        await reader.untilAddresses(at);
        assert.deepEqual(registration.stats, { isRegistered: true, registrations: 3, error: undefined });
        const sets = reader.snapshots.length;
        // Its lease lives: three TTLs later nothing has changed.
        await server.put("clock/x", "", undefined);
        for (const dueMs = performance.now() + 1_500; performance.now() < dueMs; ) await server.read("healed/");
        assert.equal(reader.snapshots.length, sets);
        await registration.close();
      });
    }),
  );

  test(
    "a restarted etcd keeps it as it was, and one that is restarted empty has it again",
    onEtcd(async ({ server, register, reading }) => {
      await reading("restarted", async (reader) => {
        const registration = register({ service: "restarted" });
        await reader.untilAddresses(at);
        await server.stop();
        await reader.until("an error", ({ error }) => error !== undefined);
        await server.start();
        await reader.until("no error", ({ error }) => error === undefined);
        await reader.untilAddresses(at);
        await server.restartEmpty();
        await until(() => registration.stats.registrations === 2 && registration.stats.isRegistered, "it is back");
        assert.ok((await server.read("restarted/")).has(`restarted/${at}`));
        assert.ok(
          reader.snapshots.slice(1).every(({ endpoints }) => endpoints?.length === 1),
          "no snapshot is without it",
        );
        await registration.close();
      });
    }),
  );

  test(
    "after a freeze that was longer than the TTL it is there again",
    onEtcd(async ({ server, register, reading }) => {
      await reading("frozen", async (reader) => {
        const registration = register({ service: "frozen" });
        await reader.untilAddresses(at);
        server.freeze();
        await until(() => registration.stats.error !== undefined, "an error");
        assert.match(registration.stats.error ?? "", /^etcd: .* frozen\/10\.0\.0\.1:80 on .*: no answer for \d+ ms$/);
        await until(() => !registration.stats.isRegistered, "its end");
        server.thaw();
        await until(() => registration.stats.isRegistered && registration.stats.error === undefined, "its return");
        await reader.untilAddresses(at);
        await registration.close();
        await reader.untilAddresses();
      });
    }),
  );

  test(
    "of a process that is killed nothing is left after the TTL",
    onEtcd(async ({ server, reading }) => {
      await reading("killed", async (reader) => {
        const program = startProgram(new URL("../../testing/programs/etcd-register.ts", import.meta.url).pathname, [
          server.endpoint,
          "killed",
        ]);
        await program.line((line) => line === "registered");
        await reader.untilAddresses(at);
        program.kill("SIGKILL");
        await program.exited;
        await reader.untilAddresses();
      });
    }),
  );

  test(
    "what a successor wrote to the same key stays when the predecessor leaves",
    onEtcd(async ({ server, register }) => {
      const predecessor = register({ service: "succeeded" });
      await predecessor.registered;
      const successor = register({ service: "succeeded", metadata: { version: "2" } });
      await successor.registered;
      await predecessor.close();
      assert.match((await server.read("succeeded/")).get(`succeeded/${at}`)?.value ?? "", /"version":"2"/);
      assert.deepEqual(predecessor.stats.registrations + successor.stats.registrations, 2);
      await successor.close();
      assert.equal((await server.read("succeeded/")).size, 0);
    }),
  );

  test(
    "what another wrote to the same key stays while it lives, and is followed by the one that was there before",
    onEtcd(async ({ server, register }) => {
      const first = register({ service: "shared" });
      await first.registered;
      const second = register({ service: "shared", metadata: { version: "2" } });
      await second.registered;
      await server.stop();
      await until(() => first.stats.error !== undefined && second.stats.error !== undefined, "an error of both");
      await server.start();
      await until(() => first.stats.error === undefined && second.stats.error === undefined, "none");
      assert.match((await server.read("shared/")).get(`shared/${at}`)?.value ?? "", /"version":"2"/);
      await second.close();
      await until(() => first.stats.registrations > 1, "the first again");
      assert.match((await server.read("shared/")).get(`shared/${at}`)?.value ?? "", /"Metadata":null/);
      await first.close();
    }),
  );

  test(
    "with layout kratos it is what kratos reads",
    onEtcd(async ({ server, register }) => {
      const registration = register({ service: "shop", weight: 2, metadata: { version: "v1" } }, { layout: "kratos" });
      await registration.registered;
      const [[key, { value }] = ["", { value: "{}" }]] = [...(await server.read("/microservices/shop/"))];
      assert.equal(key, `/microservices/shop/${at}`);
      assert.deepEqual(JSON.parse(value), {
        id: at,
        name: "shop",
        version: "v1",
        metadata: { weight: "2" },
        endpoints: ["grpc://10.0.0.1:80?isSecure=false"],
      });
      await registration.close();
    }),
  );

  test(
    "an etcd that is not there, or is frozen, is waited for, and does not hold up a close",
    onEtcd(async ({ server, register }) => {
      const away = register({ service: "away" }, { endpoints: [`127.0.0.1:${await closedPort()}`] });
      await until(() => away.stats.error !== undefined, "an error");
      assert.match(
        away.stats.error ?? "",
        /^etcd: grant a lease for away\/10\.0\.0\.1:80 on .*: connect ECONNREFUSED$/,
      );
      await away.close();
      const held = register({ service: "held" });
      await held.registered;
      server.freeze();
      try {
        const beganMs = performance.now();
        await held.close();
        assert.ok(performance.now() - beganMs < 1_500, "its lease ends after a second anyway");
      } finally {
        server.thaw();
      }
    }),
  );

  test(
    "a registration may be closed at any time",
    onEtcd(async ({ server, register }) => {
      for (const turns of [0, 1, 2, 4, 8, 16, 32, 64, 128]) {
        const registration = register({ service: "soon" });
        for (let count = 0; count < turns; count++) await turn();
        await registration.close();
      }
      assert.equal((await server.read("soon/")).size, 0);
    }),
  );
});

test("what cannot be registered is refused at once", () => {
  const cases: readonly [Partial<Instance>, RegExp][] = [
    [{ address: { host: "0.0.0.0", port: 80 } }, /^address must be one that clients can reach, got "0\.0\.0\.0"$/],
    [{ address: { host: "::", port: 80 } }, /^address must be one that clients can reach, got "::"$/],
    [{ address: { host: "0::0", port: 80 } }, /^address must be one that clients can reach, got "0::0"$/],
    [{ address: { host: "h", port: 0 } }, /^address must be host:port/],
    [{ service: "" }, /^service must be a name without empty parts, got ""$/],
    [{ ttlMs: 0 }, /^ttlMs must be from 1 s to a day, got 0$/],
    [{ weight: -1 }, /^weight must be a number from 0 to/],
  ];
  for (const [part, message] of cases) {
    const instance = { service: "s", address, ...part };
    assert.throws(() => registerInEtcd({ endpoints: ["h"], credentials: {}, instance }), {
      name: "RangeError",
      message,
    });
  }
});
