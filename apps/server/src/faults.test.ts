import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { credentials, type ServiceError, status } from "@grpc/grpc-js";
import { runToEnd, startProgram } from "@grpc-lb/program/testing";
import { PodServiceClient } from "@grpc-lb/protos/pod/v1";
import { OpenRcaServiceClient } from "@grpc-lb/protos/xds/service/orca/v3";

const main = `${import.meta.dirname}/main.ts`;
const token = "a-token-of-the-test";

test("faults come and go by the admin port, over HTTP and gRPC, and leave probes and metrics alone", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "faults-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const tokenFile = join(folder, "token");
  writeFileSync(tokenFile, `${token}\n`);
  const args = [
    "--bind-address",
    "127.0.0.1",
    "--pod-name",
    "a",
    "--drain-delay",
    "0",
    "--log-level",
    "trace",
    "--load-report",
  ];
  for (const port of ["--http-port", "--grpc-port", "--admin-port"]) args.push(port, "0");
  const server = startProgram(main, [...args, "--faults-token-file", tokenFile]);
  t.after(() => server.stop());
  const ports = JSON.parse(await server.line((line) => line.includes('"serving"')));
  const at = (port: number, path: string, init: RequestInit = {}) =>
    fetch(`http://127.0.0.1:${port}${path}`, init).then(async (answer) => [answer.status, await answer.text()]);
  const faults = (method: string, body?: string, authorization = `Bearer ${token}`) =>
    at(ports.adminPort, "/faults", { method, headers: { authorization }, ...(body !== undefined && { body }) });
  const overGrpc = (deadlineMs = 10_000) => {
    const client = new PodServiceClient(`127.0.0.1:${ports.grpcPort}`, credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": 1,
    });
    return new Promise<unknown>((resolve) => {
      client.getPod({}, { deadline: Date.now() + deadlineMs } as never, (error: unknown, response: unknown) => {
        client.close();
        const { code, details } = (error ?? {}) as { code?: status; details?: string };
        resolve(error ? [code, details] : (response as { pod: { name: string } }).pod.name);
      });
    });
  };
  /** The code of a streaming call that ends, or of its first message. */
  const overStream = () => {
    const client = new OpenRcaServiceClient(`127.0.0.1:${ports.grpcPort}`, credentials.createInsecure());
    const stream = client.streamCoreMetrics({ requestCostNames: [] }, { deadline: Date.now() + 10_000 });
    return new Promise<unknown>((resolve) => {
      stream.once("data", () => resolve(status.OK));
      stream.on("error", ({ code, details }: ServiceError) => resolve([code, details]));
    }).finally(() => {
      stream.cancel();
      client.close();
    });
  };

  for (const wrong of ["", "Bearer wrong", `Basic ${token}`, `Bearer ${token}x`]) {
    assert.equal((await faults("PUT", "hang", wrong))[0], 401, wrong);
  }
  assert.deepEqual(await faults("GET"), [200, "none\n"]);
  assert.deepEqual(await faults("PUT", "error=NOPE"), [
    400,
    'error must be a code of gRPC such as UNAVAILABLE or RESOURCE_EXHAUSTED, got "NOPE"\n',
  ]);
  assert.equal((await faults("PUT", "x".repeat(2_000)))[0], 413);

  assert.deepEqual(await faults("PUT", "error=RESOURCE_EXHAUSTED"), [200, "error=RESOURCE_EXHAUSTED\n"]);
  const reason = "injected fault error=RESOURCE_EXHAUSTED";
  assert.deepEqual(await overGrpc(), [status.RESOURCE_EXHAUSTED, reason]);
  assert.deepEqual(await overStream(), [status.RESOURCE_EXHAUSTED, reason]);
  assert.deepEqual(await at(ports.httpPort, "/pod"), [429, reason]);
  for (const [port, path] of [
    [ports.httpPort, "/readyz"],
    [ports.httpPort, "/healthz"],
    [ports.adminPort, "/metrics"],
  ] as const) {
    assert.equal((await at(port, path))[0], 200, path);
  }

  await faults("PUT", "hang not-serving");
  assert.deepEqual(await at(ports.httpPort, "/readyz"), [503, "not-serving"]);
  assert.equal(((await overGrpc(300)) as unknown[])[0], status.DEADLINE_EXCEEDED);
  const held = [at(ports.httpPort, "/pod"), overStream()];
  assert.deepEqual(await faults("DELETE"), [200, "none\n"]);
  assert.deepEqual(await Promise.all(held), [[200, "a"], status.OK]);
  assert.deepEqual(await at(ports.httpPort, "/readyz"), [200, "ok"]);

  await faults("PUT", "refuse-connections");
  for (const port of [ports.httpPort, ports.grpcPort]) {
    await assert.rejects(once(connect(port, "127.0.0.1").resume(), "end"), { code: "ECONNRESET" });
  }
  assert.equal(((await overGrpc()) as unknown[])[0], status.UNAVAILABLE);
  for (const path of ["/healthz", "/readyz", "/metrics"]) {
    assert.equal((await at(ports.adminPort, path))[0], 200, path); // so no probe restarts the pod
  }
  assert.equal(await faults("DELETE").then(() => overGrpc()), "a");
  await server.stop();
  const written = [...server.stdout, ...server.stderr].join("\n");
  assert.match(written, /"faults":"hang not-serving".*"faults changed"/);
  assert.ok(!written.includes(token), "the token leaks");
});

test("a server that drains refuses faults, and ends without them", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "faults-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const tokenFile = join(folder, "token");
  writeFileSync(tokenFile, `${token}\n`);
  const args = ["--bind-address", "127.0.0.1", "--drain-delay", "1m", "--faults-token-file", tokenFile];
  for (const port of ["--http-port", "--grpc-port", "--admin-port"]) args.push(port, "0");
  const server = startProgram(main, args);
  t.after(() => server.stop());
  const { adminPort } = JSON.parse(await server.line((line) => line.includes('"serving"')));
  server.kill("SIGTERM");
  await server.line((line) => line.includes('"draining"'));
  const faults = (method: string, body?: string) =>
    fetch(`http://127.0.0.1:${adminPort}/faults`, {
      method,
      headers: { authorization: `Bearer ${token}` },
      ...(body !== undefined && { body }),
    }).then(async (answer) => [answer.status, await answer.text()]);
  const refused = [409, "the server is draining: it takes no faults any more\n"];
  assert.deepEqual(await faults("PUT", "hang"), refused);
  assert.deepEqual(await faults("GET"), [200, "none\n"]);
});

test("a token file that cannot be used exits 2 with one line", async () => {
  const { code, stderr } = await runToEnd(main, ["--admin-port", "0", "--faults-token-file", "/none"]);
  assert.deepEqual([code, stderr.length], [2, 1]);
  assert.match(stderr[0] ?? "", /^server: --faults-token-file \/none cannot be used: no such file$/);
});
