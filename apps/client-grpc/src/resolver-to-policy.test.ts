import assert from "node:assert/strict";
import { subscribe } from "node:diagnostics_channel";
import { test } from "node:test";
import {
  credentials,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceError,
  type sendUnaryData,
} from "@grpc/grpc-js";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { type PickMessage, policyChannels, registerPolicies } from "@grpc-lb/policies";
import {
  type GetPodRequest,
  type GetPodResponse,
  Pod,
  PodServiceClient,
  PodServiceService,
} from "@grpc-lb/protos/pod/v1";
import { registerResolvers, resolverChannels, type SnapshotMessage } from "@grpc-lb/resolver";

registerPolicies();
registerResolvers();

async function startServer(name: string): Promise<{ address: string; kill(): void }> {
  const server = new Server();
  server.addService(PodServiceService, {
    getPod: (_call: ServerUnaryCall<GetPodRequest, GetPodResponse>, respond: sendUnaryData<GetPodResponse>) =>
      respond(null, { pod: Pod.fromPartial({ name }) }),
  });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    ),
  );
  return { address: `127.0.0.1:${port}`, kill: () => server.forceShutdown() };
}

const callPod = (client: PodServiceClient) =>
  new Promise<string>((resolve, reject) =>
    client.getPod({}, (error: ServiceError | null, response) =>
      error ? reject(error) : resolve(response.pod?.name ?? ""),
    ),
  );

test("a policy sees the weights and the target that the resolver knows", async (t) => {
  const servers = [await startServer("light"), await startServer("heavy")];
  const picks: PickMessage[] = [];
  const snapshots: SnapshotMessage[] = [];
  subscribe(policyChannels.pick, (message) => picks.push(message as PickMessage));
  subscribe(resolverChannels.snapshot, (message) => snapshots.push(message as SnapshotMessage));
  const target = `static:///${servers.map(({ address }) => address).join(",")}?weights=1,3`;
  const client = new PodServiceClient(target, credentials.createInsecure(), {
    "grpc.use_local_subchannel_pool": 1,
    "grpc.service_config": JSON.stringify({
      loadBalancingConfig: [{ weighted_round_robin: { source: "static" } }],
    }),
  });
  t.after(async () => {
    client.close();
    for (const { kill } of servers) kill();
    await assertNothingLeft();
  });
  const missing = new Set(["light", "heavy"]);
  for (let calls = 0; missing.size > 0; calls++) {
    assert.ok(calls < 1_000, `no call went to ${[...missing]}`);
    missing.delete(await callPod(client));
  }
  const counts: Record<string, number> = { light: 0, heavy: 0 };
  for (let n = 0; n < 400; n++) {
    const pod = await callPod(client);
    counts[pod] = (counts[pod] ?? 0) + 1;
  }
  const light = counts.light ?? 0;
  assert.ok(light >= 99 && light <= 101, `want 100 of 400 calls on the light server, got ${light}`);
  assert.deepEqual([...new Set(picks.map((pick) => pick.target))], [target]);
  assert.deepEqual([...new Set(snapshots.map((message) => message.target))], [target]);
  assert.deepEqual([...new Set(picks.map(({ endpoint }) => endpoint.weight))].sort(), [1, 3]);
});
