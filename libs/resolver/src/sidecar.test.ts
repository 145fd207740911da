import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { assertNothingLeft, closedPort } from "@grpc-lb/core/testing";
import { findSidecar } from "./sidecar.ts";

async function answer(statusCode: number): Promise<{ server: Server; port: number }> {
  const server = createServer((_request, response) => {
    response.statusCode = statusCode;
    response.end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, port: (server.address() as AddressInfo).port };
}

test("row 26: a sidecar is found by its readiness answer, also when it is not ready yet", async () => {
  for (const [statusCode, want] of [
    [200, "Mesh"],
    [503, "Mesh"],
    [404, undefined],
  ] as const) {
    const { server, port } = await answer(statusCode);
    const sidecars = [
      { name: "Other", port: await closedPort(), path: "/" },
      { name: "Mesh", port, path: "/ready" },
    ];
    assert.equal(await findSidecar(sidecars), want, `${statusCode}`);
    server.close();
  }
  assert.equal(await findSidecar([{ name: "Other", port: await closedPort(), path: "/" }]), undefined);
  await assertNothingLeft();
});

test("row 26: one that accepts and says nothing is given up", async () => {
  const server = createServer(() => {}).listen(0, "127.0.0.1");
  await once(server, "listening");
  assert.equal(
    await findSidecar([{ name: "Mute", port: (server.address() as AddressInfo).port, path: "/" }]),
    undefined,
  );
  server.closeAllConnections();
  server.close();
  await assertNothingLeft();
});
