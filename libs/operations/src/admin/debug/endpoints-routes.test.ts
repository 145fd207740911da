import assert from "node:assert/strict";
import { test } from "node:test";
import { credentials, Server, ServerCredentials } from "@grpc/grpc-js";
import { registerPolicies } from "@grpc-lb/policies";
import { PodServiceClient, type PodServiceServer, PodServiceService } from "@grpc-lb/protos/pod/v1";
import { registerResolvers } from "@grpc-lb/resolver";
import type { DispatcherStats } from "@grpc-lb/resolver/undici";
import { createAdminServer } from "../admin-server.ts";
import { probeRoutes } from "../probe-routes.ts";
import { endpointsRoutes } from "./endpoints-routes.ts";

test("shows what the resolver, the policy and a dispatcher know of each endpoint, and no parameter of a target", async (t) => {
  const server = new Server();
  const service: PodServiceServer = { getPod: (_call, respond) => respond(null, {}) };
  server.addService(PodServiceService, service);
  const port = await new Promise<number>((resolve, reject) => {
    const done = (error: Error | null, bound: number) => (error ? reject(error) : resolve(bound));
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), done);
  });
  t.after(() => server.forceShutdown());
  const policies = registerPolicies();
  const resolvers = registerResolvers({ warn: () => {} });
  const backend = {
    id: "a",
    addresses: [{ host: "::1", port: 80 }],
    weight: 1,
    zone: "z",
    forZones: [],
    nodeName: "n",
  };
  const dispatcher: DispatcherStats = {
    target: undefined,
    subject: "service default/server",
    endpoints: [
      {
        endpoint: { ...backend, metadata: { podName: "p", token: "s3cr3t" } },
        isInBackoff: true,
        picks: 2,
        inFlight: 1,
      },
    ],
    waiting: 0,
    error: "refused",
  };
  const admin = await createAdminServer({
    host: "127.0.0.1",
    port: 0,
    routes: [
      probeRoutes({ notReady: () => undefined }),
      endpointsRoutes({
        resolvers: () => resolvers.stats(),
        policies: () => policies.stats(),
        dispatchers: () => [dispatcher],
      }),
    ],
  });
  t.after(() => admin.close());

  const target = `static:///127.0.0.1:${port}?weights=3`;
  const client = new PodServiceClient(target, credentials.createInsecure());
  t.after(() => client.close());
  await new Promise<void>((resolve, reject) => client.getPod({}, (error) => (error ? reject(error) : resolve())));
  const text = await (await fetch(`http://127.0.0.1:${admin.port}/debug/endpoints`)).text();
  assert.doesNotMatch(text, /s3cr3t/);
  const got = JSON.parse(text);
  const [source] = got.sources;
  const shown = `static:///127.0.0.1:${port}?weights=…`;
  assert.deepEqual([source.target, source.scheme, source.channels, source.error], [shown, "static", 1, null]);
  assert.equal(typeof source.lastSyncAgeMs, "number");
  const endpoint = { pod: null, zone: null, weight: 3 };
  assert.deepEqual(source.endpoints, [{ addresses: [`127.0.0.1:${port}`], node: null, ...endpoint }]);
  const [policy] = got.policies;
  assert.deepEqual([policy.target, policy.policy, typeof policy.config], [shown, "round_robin", "object"]);
  const state = { state: "ready", picks: 1, inFlight: policy.endpoints[0]?.inFlight };
  assert.deepEqual(policy.endpoints, [{ address: `127.0.0.1:${port}`, ...endpoint, ...state }]);
  assert.deepEqual(got.dispatchers, [
    {
      ...{ target: null, subject: "service default/server", waiting: 0, error: "refused", lastSyncAgeMs: null },
      endpoints: [
        {
          addresses: ["[::1]:80"],
          pod: "p",
          node: "n",
          zone: "z",
          weight: 1,
          state: "in backoff",
          picks: 2,
          inFlight: 1,
        },
      ],
    },
  ]);
});
