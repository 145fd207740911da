import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { FakeApiServer, service, slice } from "@grpc-lb/discovery/testing";
import { startProgram } from "@grpc-lb/program/testing";
import { PodServer } from "../testing/pod-server.ts";

const probe = new URL("../testing/programs/background.ts", import.meta.url).pathname;

/** A server that answers with its name in the protocol of the mode. */
async function serve(mode: string): Promise<{ readonly port: number; end(): void }> {
  if (mode === "grpc") {
    const pod = await PodServer.start("a");
    return { port: pod.port, end: () => pod.kill() };
  }
  const server = createServer((_incoming, response) => response.end("a")).listen(0, "127.0.0.1");
  await once(server, "listening");
  return { port: (server.address() as AddressInfo).port, end: () => server.close() };
}

for (const mode of ["grpc", "http"]) {
  test(`${mode}: a call that waits for endpoints keeps a process alive, an unused open channel or dispatcher does not`, async (t) => {
    const api = await FakeApiServer.start();
    const server = await serve(mode);
    t.after(async () => {
      await api.close();
      server.end();
      await assertNothingLeft();
    });
    const ports = [{ name: mode, port: server.port, protocol: "TCP" }];
    api.putService(service({ name: "server" }));
    api.putSlice(slice({ service: "server", addresses: [{ address: "127.0.0.1", pod: "a" }], ports }));
    api.freeze();
    const program = startProgram(probe, [api.url, mode]);
    await api.until(({ connections }) => connections > 0);
    api.thaw();
    const { code } = await program.exited;
    assert.deepEqual([code, program.stdout], [0, ["a"]], program.stderr.join("\n"));
    await api.until(({ connections }) => connections === 0);
  });
}
