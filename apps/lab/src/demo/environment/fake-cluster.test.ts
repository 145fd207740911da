import assert from "node:assert/strict";
import { test } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { createKubeconfigAccess, createKubernetesSource } from "@grpc-lb/discovery/kubernetes";
import { startFakeCluster } from "./fake-cluster.ts";
import { createTemporaryFolder } from "./temporary-folder.ts";

test("a client with the fake cluster's kubeconfig sees the servers as the pods of one Service", async () => {
  const pods = [1, 2].map((n) => ({ podName: `server-${n}`, pid: 0, httpPort: 8000 + n, grpcPort: 9000 + n }));
  const folder = await createTemporaryFolder();
  const cluster = await startFakeCluster(pods, folder.path);
  const access = await createKubeconfigAccess(cluster.kubeconfig);
  const source = createKubernetesSource({ service: "server", namespace: "default", port: "grpc", access });
  for await (const { endpoints, error } of source.watch()) {
    const seen = endpoints?.map(({ addresses, metadata }) => [metadata.podName, addresses[0]?.port]);
    assert.deepEqual(
      [seen, error],
      [
        [
          ["server-1", 9001],
          ["server-2", 9002],
        ],
        undefined,
      ],
    );
    break;
  }
  await cluster.close();
  folder.remove();
  await assertNothingLeft();
});
