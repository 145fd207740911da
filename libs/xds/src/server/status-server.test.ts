import assert from "node:assert/strict";
import { once } from "node:events";
import { after, afterEach, beforeEach, test } from "node:test";
import { promisify } from "node:util";
import { Client, credentials, Server, ServerCredentials, type ServiceError, status } from "@grpc/grpc-js";
import { assertNothingLeft, turn, until } from "@grpc-lb/core/testing";
import {
  ClientStatusDiscoveryServiceClient,
  ClientStatusRequest,
  type ClientStatusResponse,
  ClientStatusDiscoveryServiceService as Csds,
} from "@grpc-lb/protos/envoy/service/status/v3";
import { createResource, SnapshotCache } from "../cache/index.ts";
import type { AdsClientInfo, AdsClientStatus } from "./api.ts";
import { createStatusServer } from "./status-server.ts";

const typeUrl = "t.v1.T";
const tooLarge = 5_000_000;

let cache: SnapshotCache;
let clients: AdsClientStatus[];
let described: number;
let failure: Error | undefined;
let server: Server;
let address: string;
let client: ClientStatusDiscoveryServiceClient;

beforeEach(async () => {
  cache = new SnapshotCache();
  clients = [];
  described = 0;
  failure = undefined;
  server = new Server();
  const clientStatuses = function* (isWanted: (client: AdsClientInfo) => boolean = () => true) {
    if (failure) throw failure;
    for (const one of clients.filter(isWanted)) {
      described += 1;
      yield one;
    }
  };
  createStatusServer({ ads: { clientStatuses }, cache }).addTo(server);
  const port = await promisify(server.bindAsync.bind(server))("127.0.0.1:0", ServerCredentials.createInsecure());
  address = `127.0.0.1:${port}`;
  client = new ClientStatusDiscoveryServiceClient(address, credentials.createInsecure());
});

afterEach(() => {
  client.close();
  server.forceShutdown();
});
after(assertNothingLeft);

/** A client that has accepted these resources. */
const clientOf = (id: string, ...names: readonly string[]): AdsClientStatus => ({
  ...{ id: 1, group: "", peer: "10.0.0.1:1", protocol: "delta", connectedMs: 0 },
  node: { id, cluster: "", locality: undefined, userAgentName: "" },
  resources: names.map((name) => ({ typeUrl, name, version: "1", state: "acked" })),
});

const fetch = (request: Parameters<typeof ClientStatusRequest.fromPartial>[0] = {}) =>
  new Promise<ClientStatusResponse | string>((resolve) =>
    client.fetchClientStatus(ClientStatusRequest.fromPartial(request), (error, response) =>
      resolve(error ? `${status[error.code]}: ${error.details}` : response),
    ),
  );

/** Which of the resources of a response have their contents, by client. */
const hasContents = (response: ClientStatusResponse | string) =>
  typeof response === "string"
    ? response
    : response.config.map(({ genericXdsConfigs }) => genericXdsConfigs.map(({ xdsConfig }) => xdsConfig !== undefined));

test("contents that do not fit are left out, as a request may ask for, and node matchers bring them back", async () => {
  const sizes = { a: 3_000_000, b: 3_000_000, c: tooLarge };
  cache.setSnapshot(
    "",
    Object.entries(sizes).map(([name, size]) => createResource(typeUrl, name, Buffer.alloc(size))),
  );
  clients = [clientOf("one", "a"), clientOf("two", "b"), clientOf("three", "c")];
  assert.deepEqual(hasContents(await fetch()), [[false], [false], [false]]);
  const matching = (value: string) => ({
    nodeMatchers: [{ nodeId: { matchPattern: { $case: "exact" as const, value } } }],
  });
  assert.deepEqual(hasContents(await fetch(matching("two"))), [[true]]);
  assert.deepEqual(hasContents(await fetch(matching("three"))), [[false]]);
});

test("more clients than a response has room for are an error that says what to do, and are not all described", async () => {
  const names = Array.from({ length: 1_000 }, (_, n) => `${n}-${"x".repeat(1_000)}`);
  clients = Array.from({ length: 100 }, (_, n) => clientOf(`client-${n}`, ...names));
  const limit = "the status of these clients has more than 4194304 bytes, also without the contents of resources";
  assert.equal(await fetch(), `RESOURCE_EXHAUSTED: ${limit}; choose fewer of them by node_matchers`);
  assert.ok(described < 12, `${described} of ${clients.length} clients were described, in two attempts`);
});

test("a stream has one answer at a time, however fast its requests come and however slowly it reads", async () => {
  clients = [clientOf("one", ...Array.from({ length: 3_000 }, (_, n) => `${n}-${"x".repeat(1_000)}`))];
  const stream = client.streamClientStatus();
  stream.pause();
  for (let n = 0; n < 10; n++) stream.write(ClientStatusRequest.fromPartial({}));
  await until(() => described > 0, "the first answer");
  for (let n = 0; n < 100; n++) await turn();
  const early = described;
  assert.ok(early <= 2, `${early} answers are made for a client that reads none`);
  let answers = 0;
  stream.on("data", () => answers++);
  stream.resume();
  await until(() => answers === 10, "all answers");
  const ended = once(stream, "end");
  stream.end();
  await ended;
});

test("an answer that fails ends its call and not the process; so does a request that is not valid", async () => {
  failure = new Error("no status");
  assert.equal(await fetch(), "INTERNAL: no status");
  const stream = client.streamClientStatus();
  stream.on("data", () => {});
  const failed = once(stream, "error");
  stream.write(ClientStatusRequest.fromPartial({}));
  assert.equal(((await failed)[0] as ServiceError).details, "no status");
  failure = undefined;

  const asIs = (bytes: Buffer) => bytes;
  const raw = new Client(address, credentials.createInsecure());
  const call = raw.makeBidiStreamRequest(Csds.streamClientStatus.path, asIs, asIs);
  call.on("data", () => {});
  const refused = once(call, "error");
  call.write(Buffer.from("ca293916bb16e1ebca41", "hex"));
  assert.equal(((await refused)[0] as ServiceError).message, "3 INVALID_ARGUMENT: a request is not valid protobuf");
  raw.close();
  assert.deepEqual(hasContents(await fetch()), []);
});
