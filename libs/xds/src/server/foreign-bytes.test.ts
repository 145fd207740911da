import assert from "node:assert/strict";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { Client, credentials, Server, ServerCredentials } from "@grpc/grpc-js";
import { assertNothingLeft, until } from "@grpc-lb/core/testing";
import { DeltaDiscoveryRequest, DiscoveryRequest } from "@grpc-lb/protos/envoy/service/discovery/v3";
import { LoadStatsRequest } from "@grpc-lb/protos/envoy/service/load_stats/v3";
import fc from "fast-check";
import { sampleCluster, sampleEndpoints } from "../../testing/sample-resources.ts";
import { deltaClient } from "../../testing/scripted-client.ts";
import { SnapshotCache } from "../cache/index.ts";
import { typeUrls } from "../type-urls.ts";
import { createAdsServer } from "./ads-server.ts";
import { createLoadServer } from "./load-server.ts";

const asIs = (bytes: Buffer) => bytes;
const service = "/envoy.service.discovery.v3.AggregatedDiscoveryService";
const paths = {
  sotw: `${service}/StreamAggregatedResources`,
  delta: `${service}/DeltaAggregatedResources`,
  load: "/envoy.service.load_stats.v3.LoadReportingService/StreamLoadStats",
};

const name = fc.constantFrom("a", "b", "none", "*", "", "__proto__");
const common = {
  typeUrl: fc.constantFrom(...Object.values(typeUrls), "type.googleapis.com/other", ""),
  responseNonce: fc.constantFrom("", "1", "2", "3", "x"),
  errorDetail: fc.option(fc.constant({ code: 3, message: "no\n" }), { nil: undefined }),
  node: fc.constantFrom({ id: "n" }, undefined),
};
const deltaRequest = fc
  .record({
    ...common,
    resourceNamesSubscribe: fc.array(name, { maxLength: 4 }),
    resourceNamesUnsubscribe: fc.array(name, { maxLength: 4 }),
    initialResourceVersions: fc.dictionary(name, fc.string({ maxLength: 3 }), { maxKeys: 3 }),
  })
  .map((request) => Buffer.from(DeltaDiscoveryRequest.encode(DeltaDiscoveryRequest.fromPartial(request)).finish()));
const stateRequest = fc
  .record({ ...common, resourceNames: fc.array(name, { maxLength: 4 }) })
  .map((request) => Buffer.from(DiscoveryRequest.encode(DiscoveryRequest.fromPartial(request)).finish()));
const noise = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes));
/** A node whose metadata is nested deeper than the stack. */
const deep = (() => {
  let bytes = Buffer.alloc(0);
  const wrap = (tag: number, inner: Buffer) => {
    const length: number[] = [];
    for (let rest = inner.length; ; rest >>>= 7) {
      if (rest < 128) {
        length.push(rest);
        break;
      }
      length.push((rest & 127) | 128);
    }
    return Buffer.concat([Buffer.from([tag, ...length]), inner]);
  };
  for (let i = 0; i < 6_000; i++) bytes = wrap(0x0a, wrap(0x12, wrap(0x2a, bytes)));
  return bytes;
})();

after(assertNothingLeft);

test("a request that is not valid protobuf ends its stream with an error, also while a response is sent", async () => {
  const cache = new SnapshotCache();
  cache.setSnapshot("", [sampleCluster("a"), sampleEndpoints("a", [1])]);
  const ads = createAdsServer({ cache });
  const server = new Server();
  ads.addTo(server);
  const port = await promisify(server.bindAsync.bind(server))("127.0.0.1:0", ServerCredentials.createInsecure());
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  const request = (typeUrl: string) =>
    Buffer.from(
      DeltaDiscoveryRequest.encode(
        DeltaDiscoveryRequest.fromPartial({ typeUrl, node: { id: "n" }, resourceNamesSubscribe: ["a"] }),
      ).finish(),
    );
  for (let n = 0; n < 50; n++) {
    const call = client.makeBidiStreamRequest(paths.delta, asIs, asIs);
    const ended = new Promise<string>((resolve) => call.on("error", ({ message }) => resolve(message)));
    const answered = new Promise<unknown>((resolve) => call.once("data", resolve));
    call.on("data", () => {});
    call.write(request(typeUrls.cluster));
    await answered;
    call.write(request(typeUrls.endpoints));
    call.write(Buffer.from("ca293916bb16e1ebca41", "hex"));
    assert.equal(await ended, "3 INVALID_ARGUMENT: a request is not valid protobuf");
  }
  assert.deepEqual([ads.stats().streams, ads.stats().refusals], [0, 50]);
  client.close();
  server.forceShutdown();
});

test("the same holds for load reports, while another interval is asked for", async () => {
  const load = createLoadServer({ onReport: () => {} });
  const server = new Server();
  load.addTo(server);
  const port = await promisify(server.bindAsync.bind(server))("127.0.0.1:0", ServerCredentials.createInsecure());
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  const request = Buffer.from(LoadStatsRequest.encode(LoadStatsRequest.fromPartial({ node: { id: "n" } })).finish());
  for (let n = 0; n < 50; n++) {
    const call = client.makeBidiStreamRequest(paths.load, asIs, asIs);
    const ended = new Promise<string>((resolve) => call.on("error", ({ message }) => resolve(message)));
    const answered = new Promise<unknown>((resolve) => call.once("data", resolve));
    call.on("data", () => {});
    call.write(request);
    await answered;
    call.write(Buffer.from("ca293916bb16e1ebca41", "hex"));
    load.setIntervalMs(1_000 + n);
    assert.equal(await ended, "3 INVALID_ARGUMENT: a request is not valid protobuf");
  }
  client.close();
  server.forceShutdown();
});

test("whatever clients send, in whatever order, a good client is served and nothing is left", async () => {
  const cache = new SnapshotCache();
  const ads = createAdsServer({ cache });
  const server = new Server({ "grpc.max_receive_message_length": 1_000_000 });
  ads.addTo(server);
  createLoadServer({ onReport: () => {} }).addTo(server);
  const bind = promisify(server.bindAsync.bind(server));
  const port = await bind("127.0.0.1:0", ServerCredentials.createInsecure());
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  let n = 1;
  const change = () => {
    n += 1;
    const kept = n % 3 === 0 ? [] : [sampleCluster("b", n), sampleEndpoints("b", [n])];
    cache.setSnapshot("", [sampleCluster("a"), sampleEndpoints("a", [n]), ...kept]);
  };
  change();
  const good = deltaClient(port);
  good.send({ typeUrl: typeUrls.endpoints, resourceNamesSubscribe: ["a"] });
  await good.accept();

  const script = (path: string, request: fc.Arbitrary<Buffer>) =>
    fc
      .array(fc.oneof({ weight: 6, arbitrary: request }, { weight: 1, arbitrary: noise }), { maxLength: 12 })
      .map((messages) => ({ path, messages }));
  const scripts = fc.oneof(
    script(paths.delta, deltaRequest),
    script(paths.sotw, stateRequest),
    script(paths.load, stateRequest),
  );
  const play = async ({ path, messages }: { readonly path: string; readonly messages: readonly Buffer[] }) => {
    const call = client.makeBidiStreamRequest(path, asIs, asIs);
    const ended = new Promise<void>((resolve) => {
      call.on("error", () => resolve()); // a refusal is an answer
      call.on("end", () => resolve());
    });
    call.on("data", () => {});
    for (const [i, message] of messages.entries()) {
      call.write(message);
      if (i % 4 === 3) change();
    }
    call.end();
    await ended;
  };
  await fc.assert(fc.asyncProperty(scripts, play), { numRuns: 400 });
  for (const path of Object.values(paths)) await play({ path, messages: [deep, Buffer.alloc(2_000_000)] });

  await until(() => ads.stats().streams === 1, "only the good client is left");
  // It has had every change, or the newest one.
  cache.updateSnapshot("", { upserts: [sampleEndpoints("a", [60_000])] });
  const { version } = sampleEndpoints("a", [60_000]);
  let last = await good.accept();
  while (last.resources[0]?.version !== version) last = await good.accept();
  assert.deepEqual(last.removedResources, []);
  good.close();
  client.close();
  await until(() => ads.stats().streams === 0, "no stream is left");
  server.forceShutdown();
});
