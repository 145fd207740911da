import assert from "node:assert/strict";
import { once } from "node:events";
import { after, afterEach, beforeEach, test } from "node:test";
import { promisify } from "node:util";
import { credentials, Server, ServerCredentials, type ServiceError, status } from "@grpc/grpc-js";
import { assertNothingLeft, ManualClock, until } from "@grpc-lb/core/testing";
import { ClientResourceStatus } from "@grpc-lb/protos/envoy/admin/v3";
import {
  LoadReportingServiceClient,
  LoadStatsRequest,
  type LoadStatsResponse,
} from "@grpc-lb/protos/envoy/service/load_stats/v3";
import {
  ClientStatusDiscoveryServiceClient,
  ClientStatusRequest,
  type ClientStatusResponse,
} from "@grpc-lb/protos/envoy/service/status/v3";
import { sampleEndpoints } from "../../testing/sample-resources.ts";
import { deltaClient } from "../../testing/scripted-client.ts";
import { SnapshotCache } from "../cache/index.ts";
import { typeUrls } from "../type-urls.ts";
import { createAdsServer } from "./ads-server.ts";
import type { ClusterLoadReport } from "./load.ts";
import { createLoadServerIn } from "./load-server.ts";
import { createStatusServer } from "./status-server.ts";

let server: Server;
let address: string;
let reports: ClusterLoadReport[];
let fails: boolean;
const cache = new SnapshotCache();
const ads = createAdsServer({ cache });
const clock = new ManualClock();
const makeLoad = () =>
  createLoadServerIn(
    {
      intervalMs: 1_500,
      onReport: (report) => {
        if (fails) throw new Error("the report is not wanted");
        reports.push(report);
      },
    },
    { clock },
  );

const listen = async (...services: { addTo(server: Server): void }[]) => {
  server = new Server();
  for (const service of services) service.addTo(server);
  const port = await promisify(server.bindAsync.bind(server))("127.0.0.1:0", ServerCredentials.createInsecure());
  address = `127.0.0.1:${port}`;
};

beforeEach(() => {
  reports = [];
  fails = false;
});
afterEach(() => server.forceShutdown());
after(assertNothingLeft);

const openLoad = () => {
  const client = new LoadReportingServiceClient(address, credentials.createInsecure());
  const call = client.streamLoadStats();
  const state: { response: LoadStatsResponse | undefined; error: ServiceError | undefined } = {
    response: undefined,
    error: undefined,
  };
  call.on("data", (response: LoadStatsResponse) => {
    state.response = response;
  });
  call.on("error", (error: ServiceError) => {
    state.error = error;
  });
  return { call, state, client };
};

test("a client is asked for all clusters, and its report is read in full", async () => {
  const load = makeLoad();
  await listen(load);
  const { call, state, client } = openLoad();
  call.write(LoadStatsRequest.fromPartial({ node: { id: "n" } }));
  await until(() => state.response !== undefined, "the client is asked");
  assert.deepEqual(state.response, {
    clusters: [],
    sendAllClusters: true,
    loadReportingInterval: { seconds: 1n, nanos: 500_000_000 },
    reportEndpointGranularity: true,
  });
  load.setIntervalMs(200);
  await until(() => state.response?.loadReportingInterval?.nanos === 200_000_000, "the client is asked again");
  const counts = {
    totalSuccessfulRequests: 9n,
    totalErrorRequests: 1n,
    totalIssuedRequests: 12n,
    totalRequestsInProgress: 2n,
  };
  const portSpecifier = { $case: "portValue", value: 80 } as const;
  const addressOf = (host: string) =>
    ({ address: { $case: "socketAddress", value: { address: host, portSpecifier } } }) as const;
  call.write(
    LoadStatsRequest.fromPartial({
      clusterStats: [
        {
          clusterName: "c",
          clusterServiceName: "s",
          totalDroppedRequests: 3n,
          loadReportInterval: { seconds: 1n, nanos: 500_000_000 },
          upstreamLocalityStats: [
            {
              locality: { zone: "z" },
              priority: 1,
              ...counts,
              cpuUtilization: { numRequestsFinishedWithMetric: 10n, totalMetricValue: 5 },
              loadMetricStats: [
                { metricName: "named_metrics.q", numRequestsFinishedWithMetric: 2n, totalMetricValue: 7 },
                { metricName: "__proto__", numRequestsFinishedWithMetric: 1n, totalMetricValue: 1 },
                { metricName: "none", numRequestsFinishedWithMetric: 1n, totalMetricValue: Number.NaN },
              ],
              upstreamEndpointStats: [
                { address: addressOf("::1"), ...counts },
                { address: addressOf(""), ...counts },
                { ...counts },
              ],
            },
          ],
        },
      ],
    }),
  );
  await until(() => reports.length === 1, "the report is there");
  const [report] = reports;
  assert.ok(report);
  const { localities, node, ...rest } = report;
  assert.deepEqual(rest, { cluster: "c", service: "s", intervalMs: 1_500, dropped: 3 });
  assert.equal(node.id, "n");
  const [locality] = localities;
  const read = { succeeded: 9, failed: 1, inProgress: 2, issued: 12 };
  assert.deepEqual(locality?.locality, { region: "", zone: "z", subZone: "" });
  assert.deepEqual(
    { ...locality?.metrics },
    {
      cpu_utilization: { calls: 10, total: 5 },
      "named_metrics.q": { calls: 2, total: 7 },
      ["__proto__"]: { calls: 1, total: 1 },
    },
  );
  assert.deepEqual(
    locality?.endpoints.map(({ metrics: _, ...endpoint }) => endpoint),
    [{ address: "[::1]:80", ...read }],
  );
  load.close();
  await until(() => state.error !== undefined, "the stream ends");
  assert.equal(state.error?.code, status.UNAVAILABLE);
  client.close();
});

test("a client that sends no request or no node, or whose report is refused, hears why", async () => {
  await listen(makeLoad());
  const [good, nameless, silent] = [openLoad(), openLoad(), openLoad()];
  good.call.write(LoadStatsRequest.fromPartial({ node: {} }));
  await until(() => good.state.response !== undefined, "the client is asked");
  nameless.call.write(LoadStatsRequest.fromPartial({}));
  await until(() => nameless.state.error !== undefined && clock.sleeping === 1, "the nameless one ends");
  clock.advance(10_000);
  await until(() => silent.state.error !== undefined, "the silent one ends");
  assert.equal(silent.state.error?.code, status.DEADLINE_EXCEEDED);
  assert.equal(silent.state.error?.details, "no request came in 10000 ms");
  fails = true;
  good.call.write(LoadStatsRequest.fromPartial({ clusterStats: [{}] }));
  await until(() => good.state.error !== undefined, "the good one ends");
  assert.equal(good.state.error?.details, "the report is not wanted");
  assert.equal(nameless.state.error?.details, "the first request has no node");
  for (const { client } of [good, nameless, silent]) client.close();
});

test("load reports have the limits of ADS: streams of one host, and the texts of a node; what else the node has is not kept", async () => {
  const refused: string[] = [];
  const options = { onReport: (report: ClusterLoadReport) => reports.push(report), maxStreamsPerHost: 2 };
  await listen(createLoadServerIn({ ...options, onRefused: (reason) => refused.push(reason) }, { clock }));
  const [good, long] = [openLoad(), openLoad()];
  const node = { id: "n", cluster: "c", userAgentName: "u", metadata: { big: "x" } };
  good.call.write(LoadStatsRequest.fromPartial({ node, clusterStats: [{}] }));
  await until(() => reports.length === 1, "the report");
  const { metadata: _, ...kept } = node;
  assert.deepEqual(reports[0]?.node, { ...kept, locality: undefined });
  await until(() => clock.sleeping === 1, "the second stream");
  const third = openLoad();
  await until(() => third.state.error !== undefined, "the third one is refused");
  const limit = "the control plane serves at most 2 streams of LRS to one host, and 127.0.0.1 has them";
  assert.deepEqual([third.state.error?.code, third.state.error?.details], [status.RESOURCE_EXHAUSTED, limit]);
  long.call.write(LoadStatsRequest.fromPartial({ node: { id: "x".repeat(2_000) } }));
  await until(() => long.state.error !== undefined, "the long one ends");
  assert.equal(long.state.error?.code, status.INVALID_ARGUMENT);
  const tooLong = "the node is not valid: id has 2000 characters, and at most 1024 are taken";
  assert.equal(long.state.error?.details, tooLong);
  assert.deepEqual(refused, [limit, tooLong]);
  assert.equal(clock.sleeping, 0);
  for (const { client } of [good, long, third]) client.close();
});

test("the status of clients shows what each has accepted, rejected and lacks", async () => {
  await listen(ads, createStatusServer({ ads, cache }));
  cache.setSnapshot("", [sampleEndpoints("a", [1]), sampleEndpoints("b", [2])]);
  const ads1 = deltaClient(Number(address.split(":")[1]));
  ads1.send({
    typeUrl: typeUrls.endpoints,
    resourceNamesSubscribe: ["a", "none"],
    ...nodeOf("client-1"),
  });
  await ads1.accept();
  const ads2 = deltaClient(Number(address.split(":")[1]));
  ads2.send({ typeUrl: typeUrls.endpoints, resourceNamesSubscribe: ["b"], ...nodeOf("client-2") });
  const { nonce } = await ads2.next();
  const errorDetail = { code: 3, message: "no", details: [] };
  ads2.send({ typeUrl: typeUrls.endpoints, responseNonce: nonce, errorDetail });
  await until(() => ads.stats().rejections === 1 && ads.stats().requests === 4, "the rejection is known");

  const client = new ClientStatusDiscoveryServiceClient(address, credentials.createInsecure());
  const fetch = (request: Parameters<typeof ClientStatusRequest.fromPartial>[0]) =>
    new Promise<ClientStatusResponse | string>((resolve) =>
      client.fetchClientStatus(ClientStatusRequest.fromPartial(request), (error, response) =>
        resolve(error ? error.details : response),
      ),
    );
  const all = await fetch({});
  assert.ok(typeof all === "object");
  const lines = all.config.flatMap(({ node, genericXdsConfigs }) =>
    genericXdsConfigs.map(({ name, clientStatus, xdsConfig, errorState }) => [
      node?.id,
      name,
      Object.entries(ClientResourceStatus).find(([, value]) => value === clientStatus)?.[0],
      xdsConfig !== undefined,
      errorState?.details,
    ]),
  );
  assert.deepEqual(lines.sort(), [
    ["client-1", "a", "ACKED", true, undefined],
    ["client-1", "none", "DOES_NOT_EXIST", false, undefined],
    ["client-2", "b", "NACKED", true, "no"],
  ]);
  const matcher = (matchPattern: { $case: "suffix" | "prefix" | "exact"; value: string }) => ({
    nodeMatchers: [{ nodeId: { matchPattern } }],
  });
  const idsOf = async (request: Parameters<typeof fetch>[0]) => {
    const response = await fetch(request);
    return typeof response === "string" ? response : response.config.map(({ node }) => node?.id);
  };
  assert.deepEqual(await idsOf(matcher({ $case: "suffix", value: "-2" })), ["client-2"]);
  assert.deepEqual(await idsOf(matcher({ $case: "exact", value: "client" })), []);
  assert.equal(
    await idsOf({ nodeMatchers: [{ nodeMetadatas: [{}] }] }),
    "node_matchers by metadata are not supported, only by node_id",
  );
  const stream = client.streamClientStatus();
  let streamed: ClientStatusResponse | undefined;
  stream.on("data", (response: ClientStatusResponse) => {
    streamed = response;
  });
  stream.write(ClientStatusRequest.fromPartial({ excludeResourceContents: true }));
  await until(() => streamed !== undefined, "the stream answers");
  assert.ok(streamed?.config.every(({ genericXdsConfigs }) => genericXdsConfigs.every(({ xdsConfig }) => !xdsConfig)));
  const streamEnd = once(stream, "end");
  stream.end();
  await streamEnd;
  for (const one of [ads1, ads2, client]) one.close();
  await until(() => ads.stats().streams === 0, "no stream is left");
});

function nodeOf(id: string) {
  return { node: { id, cluster: "", metadata: undefined, locality: undefined, userAgentName: "", clientFeatures: [] } };
}
