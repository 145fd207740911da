import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, test } from "node:test";
import { fileURLToPath } from "node:url";
import { credentials } from "@grpc/grpc-js";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { runToEnd, startProgram } from "@grpc-lb/program/testing";
import { AggregatedDiscoveryServiceClient } from "@grpc-lb/protos/envoy/service/discovery/v3";

afterEach(assertNothingLeft);

const main = fileURLToPath(new URL("./main.ts", import.meta.url));

test("wrong flags and a wrong configuration exit 2 with one line", async () => {
  const folder = await mkdtemp(join(tmpdir(), "grpc-lb-control-plane-"));
  const path = join(folder, "config.yaml");
  await writeFile(path, "services:\n  server:\n    target: static:///10.0.0.1:80\n    policy: last_request\n");
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [[], /^control-plane: needs either --serve name=target or --config file$/],
    [["--serve=a=static:///h:1", "--envoy-port=b=80"], /^control-plane: --envoy-port names b, which --serve does not$/],
    [
      ["--serve=a=static:///h:1", "--orca-server-name=a"],
      /^control-plane: --orca-server-name has no effect without --orca-ca$/,
    ],
    [
      ["--serve=a b=static:///h:1"],
      /^control-plane: --serve must be name=target, such as server=… \(value 1 of 2; spaces separate values\)$/,
    ],
    [
      ["--serve=a=static:///h:1", "--bind-address=999.1.1.1"],
      /^control-plane: --bind-address must be an IP address or a host name, without a port, got "999\.1\.1\.1"$/,
    ],
    ...[["--csds-port=1"], ["--admin-port=1"]].map((more): [string[], RegExp] => [
      ["--serve=a=static:///h:1", "--port=1", ...more],
      /^control-plane: --(?:csds|admin)-port must differ from --port, got 1 for both$/,
    ]),
    [
      [`--config=${path}`],
      /^control-plane: \S+config\.yaml:4: services\.server\.policy must be one of round_robin, .*, got "last_request"$/,
    ],
  ];
  await Promise.all(
    cases.map(async ([args, want]) => {
      const { code, stdout, stderr } = await runToEnd(main, args);
      assert.deepEqual([code, stderr.length, stdout], [2, 1, []], stderr.join("\n"));
      assert.match(stderr[0] ?? "", want);
    }),
  );
  await rm(folder, { recursive: true });
});

/** What the metrics say of the configuration. */
async function configMetrics(adminPort: number) {
  const text = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
  const metric = (name: string) => Number(new RegExp(`^grpc_lb_xds_config_${name}\\b.* (\\S+)$`, "m").exec(text)?.[1]);
  return {
    appliedSeconds: metric("applied_seconds"),
    rejections: metric("rejections_total"),
    failing: metric("failing"),
  };
}

test("a port that is taken exits 1 with one line that names its flag", async () => {
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const { port } = taken.address() as AddressInfo;
  const args = ["--serve=a=static:///10.0.0.1:1", "--bind-address=127.0.0.1", "--port=0", "--drain-delay=0"];
  for (const flag of ["--port", "--csds-port", "--admin-port"]) {
    const { code, stderr } = await runToEnd(main, [...args, flag, String(port)]);
    assert.deepEqual([code, stderr.length], [1, 1], stderr.join("\n"));
    assert.match(stderr[0] ?? "", new RegExp(`^control-plane: cannot listen on ${flag} ${port}: listen EADDRINUSE`));
  }
  taken.close();
});

test("it serves, says a wrong configuration in one line and goes on, and drains on SIGTERM: streams end, exit 0", async () => {
  const folder = await mkdtemp(join(tmpdir(), "grpc-lb-control-plane-"));
  const path = join(folder, "config.yaml");
  await writeFile(path, "services: { server: { target: 'static:///10.0.0.1:80' } }\n");
  const program = startProgram(main, [
    ...[`--config=${path}`, "--port=0", "--admin-port=0", "--bind-address=127.0.0.1", "--drain-delay=0"],
  ]);
  const numberIn = async (field: string) => {
    const line = await program.line((line) => line.includes(`"${field}":`));
    return Number(JSON.parse(line)[field]);
  };
  const [adminPort, port] = [await numberIn("adminPort"), await numberIn("port")];
  const ready = await fetch(`http://127.0.0.1:${adminPort}/readyz`);
  const metrics = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
  assert.equal(ready.status, 200);
  const { rejections, failing } = await configMetrics(adminPort);
  assert.deepEqual([rejections, failing], [0, 0]);
  assert.match(metrics, /grpc_lb_xds_endpoints\{.*grpc_lb_xds_service="server".*\} 1/);

  const client = new AggregatedDiscoveryServiceClient(`127.0.0.1:${port}`, credentials.createInsecure());
  const stream = client.streamAggregatedResources();
  const typeUrl = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
  const answered = new Promise<number>((resolve) => stream.once("data", ({ resources }) => resolve(resources.length)));
  const ended = new Promise<number>((resolve) =>
    stream.once("error", ({ code }: { code?: number } & Error) => resolve(code ?? 0)),
  );
  stream.write({
    ...{ versionInfo: "", responseNonce: "", typeUrl, resourceNames: ["server"], errorDetail: undefined },
    node: { id: "test", cluster: "", metadata: undefined, locality: undefined, userAgentName: "", clientFeatures: [] },
  } as unknown as Parameters<typeof stream.write>[0]);
  assert.equal(await answered, 1);

  await writeFile(path, "services: {}\n");
  assert.match(
    await program.line((line) => line.includes("configuration is wrong")),
    /services must have at least one service/,
  );
  const { appliedSeconds, ...rejected } = await configMetrics(adminPort);
  assert.deepEqual(rejected, { rejections: 1, failing: 1 });
  assert.ok(Math.abs(appliedSeconds - Date.now() / 1_000) < 600, String(appliedSeconds));
  program.kill("SIGTERM");
  const unavailable = 14;
  assert.equal(await ended, unavailable);
  client.close();
  assert.deepEqual(await program.exited, { code: 0, signal: null });
  await rm(folder, { recursive: true });
});
