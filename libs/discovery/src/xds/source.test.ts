import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { afterEach, test } from "node:test";
import { promisify } from "node:util";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { assertNothingLeft, ManualClock, turn, until } from "@grpc-lb/core/testing";
import { ClusterLoadAssignment } from "@grpc-lb/protos/envoy/config/endpoint/v3";
import { endpointsResource, type Resource, SnapshotCache } from "@grpc-lb/xds/cache";
import { readXdsEnvironment } from "@grpc-lb/xds/client";
import { createAdsServer } from "@grpc-lb/xds/server";
import { FakeControlPlane } from "@grpc-lb/xds/testing";
import { createSourceIn, sourceIn } from "../../testing/context.ts";
import { SnapshotReader } from "../../testing/snapshot-reader.ts";
import { lbEndpoint, serve, sourceOf } from "../../testing/xds/world.ts";
import { edsType } from "./reader.ts";
import { createXdsSource, defineXdsSource } from "./source.ts";

afterEach(assertNothingLeft);

const at = (...ns: readonly number[]) => ns.map((n) => lbEndpoint({ host: `10.0.0.${n}`, port: 80 }));
const addresses = (...ns: readonly number[]) => ns.map((n) => `10.0.0.${n}:80`);

const assignmentOf = (clusterName: string, lbEndpoints: ReturnType<typeof at>) =>
  endpointsResource(ClusterLoadAssignment.fromPartial({ clusterName, endpoints: [{ lbEndpoints }] }));

/** A control plane of this project on a port; `pending` are the names that it does not know yet. */
async function startControlPlane(port: number, resources: readonly Resource[], pending: readonly string[] = []) {
  const cache = new SnapshotCache();
  cache.setSnapshot("", resources, { pending: pending.map((name) => ({ typeUrl: edsType.typeUrl, name })) });
  const ads = createAdsServer({ cache });
  const server = new Server();
  ads.addTo(server);
  const bind = promisify(server.bindAsync.bind(server));
  const bound = await bind(`127.0.0.1:${port}`, ServerCredentials.createInsecure());
  return { cache, ads, port: bound, stop: () => server.forceShutdown() };
}

/** Reads sources of a fake for the time of `run`. */
async function reading(
  run: (
    fake: FakeControlPlane,
    read: (source: Parameters<typeof sourceOf>[1] | ReturnType<typeof sourceOf>) => SnapshotReader,
  ) => Promise<void>,
): Promise<void> {
  const fake = await FakeControlPlane.start();
  const readers: SnapshotReader[] = [];
  try {
    await run(fake, (source) => {
      const reader = new SnapshotReader(typeof source === "string" ? sourceOf(fake, source) : source);
      readers.push(reader);
      return reader;
    });
  } finally {
    await Promise.all(readers.map((reader) => reader.close()));
    await fake.untilStreams(0);
    await fake.close();
  }
}

test("sources of one control plane share one stream; the last one ends it", () =>
  reading(async (fake, read) => {
    serve(fake, "a", { endpoints: [{ lbEndpoints: at(1) }] });
    serve(fake, "b", { endpoints: [{ lbEndpoints: at(2) }] });
    const [a, again, b] = [read("a"), read("a"), read("b")];
    await a.untilAddresses(...addresses(1));
    await again.untilAddresses(...addresses(1));
    await b.untilAddresses(...addresses(2));
    assert.equal(fake.streams, 1);
    assert.equal(fake.relay.connections, 1);
    await a.close();
    await again.close();
    serve(fake, "b", { endpoints: [{ lbEndpoints: at(3) }] });
    await b.untilAddresses(...addresses(3));
    assert.equal(fake.streams, 1);
  }));

test("a source that is opened again in the turn in which it was closed goes on", () =>
  reading(async (fake, read) => {
    for (const name of ["a", "b"]) serve(fake, name, { endpoints: [{ lbEndpoints: at(1) }] });
    const [a, b] = [read("a"), read("b")];
    await a.untilAddresses(...addresses(1));
    await b.untilAddresses(...addresses(1));
    await b.close();
    const again = read("b");
    await again.untilAddresses(...addresses(1));
    serve(fake, "b", { endpoints: [{ lbEndpoints: at(2) }] });
    await again.untilAddresses(...addresses(2));
  }));

for (const protocol of ["delta", "sotw"] as const) {
  test(`${protocol}: endpoints stay while a control plane that has restarted does not know them yet`, async () => {
    const clock = new ManualClock();
    let controlPlane = await startControlPlane(0, [assignmentOf("a", at(1)), assignmentOf("b", at(1))]);
    const { port } = controlPlane;
    const common = { controlPlane: { host: "127.0.0.1", port }, credentials: {}, node: {}, protocol };
    const open = (name: string) =>
      new SnapshotReader(sourceIn(defineXdsSource, { ...common, name, clock, random: () => 0 }));
    const [reader, other] = [open("a"), open("b")];
    try {
      for (const each of [reader, other]) await each.untilAddresses(...addresses(1));
      controlPlane.stop();
      controlPlane = await startControlPlane(port, [assignmentOf("b", at(1, 2))], ["a"]);
      await until(() => {
        clock.advance(0); // the pauses between attempts have no length
        return other.addresses?.length === 2;
      }, "an answer of the new control plane");
      for (let i = 0; i < 3; i++) {
        await clock.asleep();
        clock.advance(10_000);
        await turn();
      }
      assert.deepEqual([reader.addresses, reader.last?.error], [addresses(1), undefined]);
      controlPlane.cache.setSnapshot("", [assignmentOf("a", at(2))]);
      await reader.untilAddresses(...addresses(2));
    } finally {
      await Promise.all([reader.close(), other.close()]);
      controlPlane.stop();
    }
  });
}

test("a name without an answer is a service without endpoints, and the error names both reasons that it may have", async () => {
  const clock = new ManualClock();
  const { port, cache, stop } = await startControlPlane(0, [], ["a"]);
  const controlPlane = { host: "127.0.0.1", port };
  const options = { controlPlane, name: "a", credentials: {}, node: {}, clock, random: () => 0 };
  const reader = new SnapshotReader(sourceIn(defineXdsSource, options));
  try {
    await until(() => {
      clock.advance(1_000);
      return reader.last?.error !== undefined;
    }, "an error");
    assert.deepEqual([reader.addresses, reader.last?.error?.code], [[], "notFound"]);
    const why = "the control plane has sent no endpoints of this name: it has none, or still waits for its source";
    assert.equal(reader.last?.error?.message, `xds: watch a on 127.0.0.1:${port}: ${why}`);
    cache.setSnapshot("", [assignmentOf("a", at(1))]);
    await reader.untilAddresses(...addresses(1));
    assert.equal(reader.last?.error, undefined);
  } finally {
    await reader.close();
    stop();
  }
});

test("a target reads from the control plane; its name may have %-escapes", () =>
  reading(async (fake, read) => {
    serve(fake, "outbound|80||server.ns", { endpoints: [{ lbEndpoints: at(1) }] });
    const target = `xds://127.0.0.1:${fake.port}/outbound%7C80||server.ns?protocol=delta`;
    const reader = read(createSourceIn(target, { xds: { node: { id: "me" }, credentials: {} } }, {}));
    await reader.untilAddresses(...addresses(1));
    assert.equal(reader.last?.subject, "xds outbound|80||server.ns");
    assert.equal(fake.requests[0]?.request.node?.id, "me");
  }));

test("an assignment that cannot be used leaves the last good endpoints, and is an error; drops come with the snapshot", () =>
  reading(async (fake, read) => {
    serve(fake, "a", { endpoints: [{ lbEndpoints: at(1, 2) }] });
    const reader = read("a");
    await reader.untilAddresses(...addresses(1, 2));
    serve(fake, "a", { endpoints: [{ lbEndpoints: [...at(1), lbEndpoint({ host: "10.0.0.2", port: 0 })] }] });
    const { error } = await reader.until("an error", (snapshot) => snapshot.error !== undefined);
    assert.equal(error?.code, "invalid");
    assert.match(
      error?.message ?? "",
      /^xds: watch a: control plane 127\.0\.0\.1:\d+: EDS a: endpoints\[0\]\.lb_endpoints\[1\]: the port must be a number/,
    );
    assert.deepEqual(reader.addresses, addresses(1, 2));
    const dropOverloads = [{ category: "busy", dropPercentage: { numerator: 10 } }];
    serve(fake, "a", { endpoints: [{ lbEndpoints: at(1, 2) }], policy: { dropOverloads } });
    const good = await reader.until("no error", (snapshot) => snapshot.error === undefined);
    assert.deepEqual(good.drops, [{ category: "busy", fraction: 0.1 }]);
  }));

test("a name that the control plane does not have, or has no longer, is a service without endpoints, and the error says so", () =>
  reading(async (fake, read) => {
    const reader = read("a");
    const { endpoints, error } = await reader.until("an error", (snapshot) => snapshot.error !== undefined);
    assert.deepEqual([endpoints, error?.code], [[], "notFound"]);
    assert.match(
      error?.message ?? "",
      /^xds: watch a on 127\.0\.0\.1:\d+: the control plane has no endpoints of this name$/,
    );
    serve(fake, "a", { endpoints: [{ lbEndpoints: at(1) }] });
    await reader.untilAddresses(...addresses(1));
    fake.delete(edsType.typeUrl, "a");
    await reader.untilAddresses();
    assert.equal(reader.last?.error?.code, "notFound");
  }));

test("what the first answer after a reconnect lacks is served for the grace period, what a later one lacks is not", async () => {
  const clock = new ManualClock();
  const fake = await FakeControlPlane.start();
  serve(fake, "a", { endpoints: [{ lbEndpoints: at(1, 2, 3) }] });
  const controlPlane = { host: "127.0.0.1", port: fake.port };
  const source = sourceIn(defineXdsSource, {
    controlPlane,
    name: "a",
    credentials: {},
    node: {},
    clock,
    random: () => 0,
  });
  const reader = new SnapshotReader(source);
  await reader.untilAddresses(...addresses(1, 2, 3));
  fake.relay.drop();
  serve(fake, "a", { endpoints: [{ lbEndpoints: at(3, 4) }] });
  await reader.untilAddresses(...addresses(1, 2, 3, 4));
  serve(fake, "a", { endpoints: [{ lbEndpoints: at(1, 4) }] });
  await reader.untilAddresses(...addresses(1, 2, 4));
  clock.advance(10_000);
  await reader.untilAddresses(...addresses(1, 4));
  fake.relay.drop();
  await until(() => fake.streams === 1 && fake.requests.at(-1)?.stream === 3, "the third stream");
  await clock.asleep();
  clock.advance(1_000);
  await clock.asleep();
  clock.advance(10_000);
  serve(fake, "a", { endpoints: [{ lbEndpoints: at(4) }] });
  await reader.untilAddresses(...addresses(4));
  assert.ok(
    reader.snapshots.every(({ error }) => error === undefined),
    "no error is reported for a stream that ends and is resumed",
  );
  await reader.close();
  await fake.close();
});

test("after a reconnect, what drains goes at once, and what lacks goes when the grace period ends while the control plane answers", async () => {
  const clock = new ManualClock();
  const fake = await FakeControlPlane.start();
  serve(fake, "a", { endpoints: [{ lbEndpoints: at(1, 2, 3) }] });
  const controlPlane = { host: "127.0.0.1", port: fake.port };
  const options = { controlPlane, name: "a", credentials: {}, node: {}, clock, random: () => 0 };
  const reader = new SnapshotReader(sourceIn(defineXdsSource, options));
  await reader.untilAddresses(...addresses(1, 2, 3));
  fake.relay.drop();
  const draining = lbEndpoint({ host: "10.0.0.1", port: 80 }, { health: 3 });
  serve(fake, "a", { endpoints: [{ lbEndpoints: [draining, ...at(3)] }] });
  await reader.untilAddresses(...addresses(2, 3));
  await fake.relay.stop();
  /** Ends the pauses between attempts, which have no length here. */
  const retrying = (condition: () => boolean) => () => {
    clock.advance(0);
    return condition();
  };
  await until(
    retrying(() => reader.last?.error !== undefined),
    "an error",
  );
  clock.advance(10_000);
  await fake.relay.start();
  await until(
    retrying(() => fake.streams === 1),
    "a stream, which has nothing new to say",
  );
  assert.deepEqual(reader.addresses, addresses(2, 3), "kept while the control plane was away");
  await clock.asleep(2);
  clock.advance(1_000);
  await reader.until("no error", ({ error }) => error === undefined);
  clock.advance(10_000);
  await reader.untilAddresses(...addresses(3));
  await reader.close();
  await fake.close();
});

test("options that cannot be right are refused", () => {
  const controlPlane = { host: "h", port: 1 };
  const refused = (more: object, error: object) =>
    assert.throws(() => createXdsSource({ controlPlane, name: "a", ...more }), error);
  refused({ name: "" }, { message: "name must not be empty" });
  refused({ protocol: "rest" }, { message: "protocol must be auto, delta or sotw" });
  refused({ keepaliveMs: 0 }, { message: /^keepaliveMs must be >= 1 and <= \d+, got 0$/ });
  refused({ credentials: { token: "s" } }, { name: "TypeError", message: /unknown option credentials\.token/ });
});

test("the bootstrap of the README is read", () => {
  const readme = readFileSync(`${import.meta.dirname}/README.md`, "utf8");
  const [, json = ""] = /```json\n(.*?)```/s.exec(readme) ?? [];
  const { node, credentials } = readXdsEnvironment("control-plane:18000", { GRPC_XDS_BOOTSTRAP_CONFIG: json });
  assert.deepEqual([node.id, node.locality?.zone], ["client-1", "eu-1a"]);
  assert.deepEqual([credentials.tls?.caFile, credentials.tokenFile], ["/etc/ca.pem", "/var/run/secrets/token"]);
});

test("the environment that the README gives a client of istiod is read", () => {
  const readme = readFileSync(`${import.meta.dirname}/README.md`, "utf8");
  const [, json = ""] = /GRPC_XDS_BOOTSTRAP_CONFIG\n *value: '(.*)'/.exec(readme) ?? [];
  const { node } = readXdsEnvironment("istiod.istio-system:15010", { GRPC_XDS_BOOTSTRAP_CONFIG: json });
  assert.match(node.id ?? "", /^sidecar~/);
});
