import assert from "node:assert/strict";
import { once } from "node:events";
import { afterEach, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  type Client,
  type ClientOptions,
  connectivityState,
  credentials,
  loadPackageDefinition,
  Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { assertNothingLeft, until } from "@grpc-lb/core/testing";
import { Pod, PodServiceClient } from "@grpc-lb/protos/pod/v1";
import { service as healthService } from "grpc-health-check";
import { createReadiness, createWorkload } from "../testing/workload.ts";
import { type GrpcListener, type GrpcOptions, healthNames, listenGrpc } from "./grpc.ts";
import { Readiness } from "./readiness.ts";

const pod = Pod.fromPartial({ name: "server-1", namespace: "default", node: "node-1", zone: "zone-a", ip: "10.0.0.1" });
const servers: GrpcListener[] = [];
const clients: Client[] = [];

const local: GrpcOptions = { host: "127.0.0.1", port: 0, maxConnectionAgeMs: 0, loadReports: undefined };

async function start(
  readiness = createReadiness(),
  options: Partial<GrpcOptions> = {},
  { workload } = createWorkload(),
): Promise<GrpcListener> {
  const server = await listenGrpc(pod, readiness, workload, { ...local, ...options });
  servers.push(server);
  return server;
}

function connect<T extends Client>(
  Type: new (address: string, creds: ReturnType<typeof credentials.createInsecure>, options?: ClientOptions) => T,
  port: number,
): T {
  const client = new Type(`127.0.0.1:${port}`, credentials.createInsecure());
  clients.push(client);
  return client;
}

const HealthClient = loadPackageDefinition({ Health: healthService }).Health as unknown as typeof Client;
type HealthClient = Client & {
  check(request: { service: string }, done: (error: Error | null, reply?: { status: string }) => void): void;
  watch(request: { service: string }): NodeJS.ReadableStream;
};

type ReflectionClient = Client & { serverReflectionInfo(): NodeJS.ReadWriteStream & { write(request: object): void } };
type Reflections = { grpc: { reflection: Record<string, { ServerReflection: typeof Client }> } };

const check = (client: HealthClient, service: string) =>
  new Promise<string>((resolve) => {
    client.check({ service }, (error, reply) => resolve(error ? error.message : (reply?.status ?? "no status")));
  });

const getPod = (client: PodServiceClient) =>
  new Promise<Pod | undefined>((resolve, reject) => {
    client.getPod({}, (error, response) => (error ? reject(error) : resolve(response?.pod)));
  });

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await Promise.all(servers.splice(0).map((server) => server.close()));
  await assertNothingLeft();
});

test("GetPod returns the whole pod", async () => {
  const { port } = await start();
  assert.deepEqual(await getPod(connect(PodServiceClient, port)), pod);
});

test("health is SERVING by every name that probes use, and NOT_FOUND by any other", async () => {
  const { port } = await start();
  const client = connect(HealthClient, port) as HealthClient;
  for (const name of healthNames) assert.equal(await check(client, name), "SERVING", `health of "${name}"`);
  assert.match(await check(client, "unknown"), /NOT_FOUND/);
});

test("a server that drains is NOT_SERVING by every name but liveness", async () => {
  const readiness = createReadiness();
  const { port } = await start(readiness);
  readiness.end();
  const client = connect(HealthClient, port) as HealthClient;
  for (const name of healthNames) {
    assert.equal(await check(client, name), name === "liveness" ? "SERVING" : "NOT_SERVING", `health of "${name}"`);
  }
});

test("a server that starts is NOT_SERVING by every name but liveness, until it is ready", async () => {
  const readiness = new Readiness();
  const { port } = await start(readiness);
  const client = connect(HealthClient, port) as HealthClient;
  const statuses = async () => {
    const all = await Promise.all(healthNames.map(async (name) => [name, await check(client, name)] as const));
    return Object.fromEntries(all);
  };
  const no = "NOT_SERVING";
  assert.deepEqual(await statuses(), { "": no, liveness: "SERVING", readiness: no, "pod.v1.PodService": no });
  readiness.start();
  const yes = "SERVING";
  assert.deepEqual(await statuses(), { "": yes, liveness: yes, readiness: yes, "pod.v1.PodService": yes });
});

test("a health watch gets NOT_SERVING on the drain, and does not delay it", async () => {
  const readiness = createReadiness();
  const server = await start(readiness);
  const watch = (connect(HealthClient, server.port) as HealthClient).watch({ service: "readiness" });
  const [first] = await once(watch, "data");
  readiness.end();
  const [second] = await once(watch, "data");
  assert.deepEqual([first.status, second.status], ["SERVING", "NOT_SERVING"]);
  const ended = once(watch, "end");
  watch.resume();
  await server.close();
  await ended;
});

test("a connection gets a GOAWAY at its age, and calls go on over a new one", async () => {
  const { port } = await start(createReadiness(), { maxConnectionAgeMs: 50 });
  const client = connect(PodServiceClient, port);
  await getPod(client);
  await new Promise<void>((resolve, reject) => {
    client
      .getChannel()
      .watchConnectivityState(connectivityState.READY, Date.now() + 5_000, (error) =>
        error ? reject(error) : resolve(),
      );
  });
  assert.equal((await getPod(client))?.name, "server-1");
});

test("a port that is taken is an error with the reason", async () => {
  const { port } = await start();
  const again = listenGrpc(pod, createReadiness(), createWorkload().workload, { ...local, port });
  await assert.rejects(again, /EADDRINUSE/);
});

test("both versions of reflection list the services", async () => {
  const orca = "xds.service.orca.v3.OpenRcaService";
  for (const [loadReports, more] of [
    [undefined, []],
    [createWorkload().loadReports, [orca]],
  ] as const) {
    const { port } = await start(createReadiness(), { loadReports });
    for (const version of ["v1", "v1alpha"]) {
      const path = fileURLToPath(
        import.meta.resolve(`@grpc/reflection/build/proto/grpc/reflection/${version}/reflection.proto`),
      );
      const loaded = loadPackageDefinition(loadSync(path)) as unknown as Reflections;
      const client = connect(loaded.grpc.reflection[version]?.ServerReflection ?? assert.fail(version), port);
      const stream = (client as ReflectionClient).serverReflectionInfo();
      stream.write({ listServices: "" });
      const [answer] = await once(stream, "data");
      const names = answer.listServicesResponse.service.map(({ name }: { name: string }) => name);
      assert.deepEqual(names.sort(), ["grpc.health.v1.Health", "pod.v1.PodService", ...more], version);
      stream.write({ fileContainingSymbol: more[0] ?? "pod.v1.PodService" });
      const [{ fileDescriptorResponse: described }] = await once(stream, "data");
      const files = described.fileDescriptorProto.length;
      assert.equal(files, more.length > 0 ? 3 : 1, `${version}: files of ${more[0]} and what it imports`);
      stream.end();
      await once(stream.resume(), "end");
    }
  }
});

test("a stream that is opened while the server ends does not delay it", async () => {
  const readiness = createReadiness();
  const server = await start(readiness);
  const client = connect(HealthClient, server.port) as HealthClient;
  await check(client, ""); // it is connected
  const first = client.watch({ service: "" });
  await once(first, "data");
  first.resume();
  const closed = server.close();
  const late = client.watch({ service: "readiness" });
  late.on("error", () => {}); // it may be refused
  late.resume();
  await closed;
});

test("calls that fail by --error-rate are UNAVAILABLE with the reason; health neither fails nor waits", async () => {
  const rig = createWorkload({ errorRate: 1, latencyMs: 1_000, capacity: 1 });
  const { port } = await start(createReadiness(), {}, rig);
  const failed = getPod(connect(PodServiceClient, port)).then(
    () => assert.fail("it was answered"),
    (error: ServiceError) => error,
  );
  await rig.clock.asleep();
  assert.equal(await check(connect(HealthClient, port) as HealthClient, "readiness"), "SERVING");
  rig.clock.advance(1_000);
  const { code, details } = await failed;
  assert.deepEqual([code, details], [status.UNAVAILABLE, "server-1 fails by --error-rate"]);
});

test("a client that cancels, or whose deadline passes, ends the wait of its call", async () => {
  const rig = createWorkload({ latencyMs: 60_000, capacity: 1 });
  const { port } = await start(createReadiness(), {}, rig);
  const client = connect(PodServiceClient, port);
  const cancelled = Promise.withResolvers<number | undefined>();
  const call = client.getPod({}, (error) => cancelled.resolve(error?.code));
  await rig.clock.asleep();
  call.cancel();
  assert.equal(await cancelled.promise, status.CANCELLED);
  await until(() => rig.clock.sleeping === 0, "no pending wait");

  const late = Promise.withResolvers<number | undefined>();
  client.getPod({}, new Metadata(), { deadline: Date.now() + 100 }, (error) => late.resolve(error?.code));
  assert.equal(await late.promise, status.DEADLINE_EXCEEDED);
  await until(() => rig.clock.sleeping === 0, "no pending wait");
});

test("closing waits for slow and queued calls; cutting ends them", async () => {
  for (const end of ["wait", "cut"] as const) {
    const rig = createWorkload({ latencyMs: 1_000, capacity: 1 });
    const server = await start(createReadiness(), {}, rig);
    const client = connect(PodServiceClient, server.port);
    const calls = Promise.allSettled([getPod(client), getPod(client)]);
    await rig.clock.asleep();
    // Both have arrived when a later call is answered: clients of one address share a connection.
    await check(connect(HealthClient, server.port) as HealthClient, "");
    const closed = server.close();
    if (end === "cut") server.cut();
    else {
      rig.clock.advance(1_000);
      await rig.clock.asleep();
      rig.clock.advance(1_000);
    }
    await closed;
    const want = end === "cut" ? "rejected" : "fulfilled";
    for (const { status } of await calls) assert.equal(status, want);
    await until(() => rig.clock.sleeping === 0, "no pending wait");
  }
});
