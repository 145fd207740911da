import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { assertNothingLeft, closedPort } from "@grpc-lb/core/testing";
import { needsNoConfig, registeredPolicies, registerPolicies } from "@grpc-lb/policies";
import { type RunningProgram, runToEnd, startProgram } from "@grpc-lb/program/testing";
import { judge, parseCallLine } from "@grpc-lb/verdict";

registerPolicies();

const main = `${import.meta.dirname}/main.ts`;
const server = `${import.meta.dirname}/../../server/src/main.ts`;
const running: RunningProgram[] = [];

/** Starts apps/server and returns its gRPC port. */
async function startServer(name: string, port = 0) {
  const program = startProgram(server, [
    ...["--pod-name", name, "--http-port", "0", "--grpc-port", String(port)],
    ...["--bind-address", "127.0.0.1", "--drain-delay", "0s"],
  ]);
  running.push(program);
  const { grpcPort } = JSON.parse(await program.line((line) => line.includes('"serving"')));
  return { program, port: grpcPort as number };
}

function startClient(...args: string[]): RunningProgram {
  const client = startProgram(main, args);
  running.push(client);
  return client;
}

const podsOf = (lines: readonly string[]) =>
  lines.map(parseCallLine).flatMap((line) => (line?.t === "call" ? [line.pod] : []));

/** Two servers for the tests that need no server of their own, as one target and alone. */
let both = "";
let onlyA = "";

before(async () => {
  const [a, b] = await Promise.all([startServer("a"), startServer("b")]);
  both = `ipv4:127.0.0.1:${a.port},127.0.0.1:${b.port}`;
  onlyA = `127.0.0.1:${a.port}`;
});

after(async () => {
  for (const program of running) {
    program.kill("SIGKILL");
    await program.exited;
  }
  await assertNothingLeft();
});

test("by default one of two servers has every call; round_robin spreads them evenly", async () => {
  const args = ["--target", both, "--interval", "1ms"];

  const pinned = await runToEnd(main, [...args, "--count", "40"]);
  assert.deepEqual([pinned.code, pinned.stderr], [0, []]);
  assert.deepEqual(
    pinned.stdout,
    Array.from({ length: 40 }, (_, i) => `#${i + 1}: a`),
  );

  const spread = await runToEnd(main, [...args, "--count", "120", "--policy", "round_robin"]);
  assert.deepEqual([spread.code, spread.stderr, spread.stdout.length], [0, ["Policy: round_robin {}"], 120]);
  const calls = podsOf(spread.stdout);
  // Both connections are up from the first call that the second one has answered.
  const settled = calls.slice(Math.max(calls.indexOf("a"), calls.indexOf("b")) + 1);
  assert.ok(settled.length >= 60, `want most calls after the warm-up, got ${settled.length}: ${calls}`);
  const { word, perPod } = judge(settled, ["a", "b"], "round_robin");
  assert.equal(word, "BALANCED", `got ${[...perPod]}`);
});

test("with --events each call is reported with its time and connection, one connection per pod", async () => {
  const args = ["--target", both, "--policy", "round_robin", "--count", "40", "--interval", "1ms", "--events"];
  const { stdout, stderr } = await runToEnd(main, args);
  const events = stderr.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  const calls = events.filter(({ event }) => event === "call");
  assert.deepEqual(
    calls.map(({ pod }) => pod),
    podsOf(stdout),
  );
  const opened = events.filter(({ event }) => event === "connection-opened");
  assert.deepEqual(new Set(opened.map(({ peer }) => peer)), new Set(both.slice("ipv4:".length).split(",")));
  const used = new Set(calls.map(({ pod, connection }) => `${pod} ${connection}`));
  assert.equal(used.size, 2, `a pod has one connection, got ${[...used]}`);
  for (const { ms } of calls) assert.ok(ms >= 0 && ms < 5_000, `${ms} ms`);
});

test("a static: target spreads without a policy, and a file: target follows the file", async () => {
  const addresses = both.slice("ipv4:".length);
  const fixed = await runToEnd(main, ["--target", `static:///${addresses}`, "--count", "60", "--interval", "1ms"]);
  assert.deepEqual([fixed.code, new Set(podsOf(fixed.stdout)), fixed.stderr], [0, new Set(["a", "b"]), []]);

  const folder = mkdtempSync(join(tmpdir(), "grpc-lb-client-"));
  const path = join(folder, "e.yaml");
  const [a = "", b = ""] = addresses.split(",");
  writeFileSync(path, `- address: ${a}\n`);
  const client = startClient("--target", `file://${path}`, "--interval", "10ms");
  await client.line((line) => line === "#1: a");
  writeFileSync(path, `- address: ${b}\n`);
  await client.line((line) => line.endsWith(": b"));
  client.kill("SIGTERM");
  assert.deepEqual([await client.exited, client.stderr], [{ code: 0, signal: null }, []]);
  rmSync(folder, { recursive: true });
});

test("a service config does what the flag for the policy does, also from the environment", async () => {
  const { code, stdout } = await runToEnd(main, ["--count", "60", "--interval", "1ms"], {
    TARGET: both,
    SERVICE_CONFIG: '{"loadBalancingConfig":[{"round_robin":{}}]}',
  });
  assert.deepEqual([code, new Set(podsOf(stdout))], [0, new Set(["a", "b"])]);
});

test("a server that starts later is called when it is there, and again after it was killed and restarted", async () => {
  const port = await closedPort();
  const client = startClient("--target", `127.0.0.1:${port}`, "--interval", "20ms");
  const error = await client.line((line) => line.startsWith("Error: "));
  assert.match(error, new RegExp(`^Error: GetPod 127\\.0\\.0\\.1:${port}: UNAVAILABLE: .*ECONNREFUSED`));
  assert.deepEqual(client.stdout, []);
  const { program } = await startServer("first", port);
  await client.line((line) => line === "#1: first");

  const errorsBefore = client.stderr.length;
  program.kill("SIGKILL");
  await program.exited;
  await client.line((line) => client.stderr.indexOf(line, errorsBefore) >= 0);
  await startServer("second", port);
  const line = await client.line((line) => line.endsWith(": second"));
  const firsts = podsOf(client.stdout).filter((pod) => pod === "first").length;
  assert.equal(line, `#${firsts + 1}: second`, "numbers go on where they were");

  client.kill("SIGTERM");
  assert.deepEqual(await client.exited, { code: 0, signal: null }, "without --count, failed calls are no failure");
});

test("a failed call of --count exits 1", async () => {
  const target = `127.0.0.1:${await closedPort()}`;
  const { code, stdout, stderr } = await runToEnd(main, ["--target", target, "--count", "2", "--interval", "0"]);
  assert.deepEqual([code, stdout, stderr.length], [1, [], 2]);
  for (const line of stderr) assert.match(line, /^Error: GetPod 127\.0\.0\.1:\d+: UNAVAILABLE: /);
});

test("a SIGTERM in the pause exits 0 at once", async () => {
  const client = startClient("--target", onlyA, "--interval", "1h");
  await client.line((line) => line === "#1: a");
  client.kill("SIGTERM");
  assert.deepEqual(await client.exited, { code: 0, signal: null });
  assert.deepEqual([client.stdout, client.stderr], [["#1: a"], []]);
});

test("an invalid flag exits 2 with one line, before any call", async () => {
  const names = registeredPolicies().filter(needsNoConfig).join(", ");
  const policies = '{"loadBalancingConfig":[{"round_robin":{}}]}';
  for (const [args, want] of [
    [["--policy", "toString"], `client-grpc: --policy must be one of ${names}, got "toString"`],
    [
      ["--target", "file:///e.yaml?poll=1s"],
      'client-grpc: --target is invalid: target "file:///e.yaml?poll=…": unknown parameter "poll"; file: has none; ' +
        "expected file:///path/of/endpoints.yaml, an absolute path",
    ],
    [["--service-config", "[]"], "client-grpc: --service-config must be a JSON object"],
    [
      ["--policy", "pick_first", "--service-config", policies],
      "client-grpc: --policy and --service-config both choose a policy; give one",
    ],
    [
      ["--target", "xds:///server", "--policy", "random"],
      "client-grpc: xds:///server takes its policy from the control plane; leave --policy out",
    ],
    [
      ["--target", "xds:///server"],
      "client-grpc: xds:///server needs the control plane in GRPC_XDS_BOOTSTRAP or GRPC_XDS_BOOTSTRAP_CONFIG; " +
        "or name it: xds://host:18000/name",
    ],
    [
      ["--service-config", '{"methodConfig":[{"name":[{}],"timeout":"soon"}]}'],
      "client-grpc: --service-config is invalid: Invalid method config: invalid timeout",
    ],
  ] as const) {
    assert.deepEqual(await runToEnd(main, args), { code: 2, signal: null, stdout: [], stderr: [want] });
  }
});

test("a bootstrap that gRPC's own xDS client cannot use exits 2, and a control plane that does not answer it is named by each call", async () => {
  const bootstrap = (type: string) => ({
    GRPC_XDS_BOOTSTRAP_CONFIG: JSON.stringify({
      xds_servers: [{ server_uri: "127.0.0.1:1", channel_creds: [{ type }] }],
      node: { id: "client-1", locality: {} },
    }),
  });
  const args = ["--target", "xds:///server", "--count", "1", "--timeout", "300ms"];
  const refused = await runToEnd(main, args, bootstrap("tls"));
  assert.deepEqual([refused.code, refused.stderr.length], [2, 1], refused.stderr.join("\n"));
  assert.match(refused.stderr[0] ?? "", /xds_servers\[0\]\.channel_creds must have an entry of type insecure or/);
  const { code, stderr } = await runToEnd(main, args, bootstrap("insecure"));
  assert.equal(code, 1);
  assert.match(
    stderr[0] ?? "",
    /the control plane of the bootstrap has not answered for this name: it cannot be reached, .*, has no service of this name, or still waits for its source$/,
  );
});

test("--policy works together with a service config that chooses no policy", async () => {
  const config = '{"methodConfig":[{"name":[{}],"timeout":"2.5s"}]}';
  const args = ["--target", onlyA, "--policy", "round_robin", "--service-config", config, "--count", "1"];
  assert.deepEqual(await runToEnd(main, args), {
    code: 0,
    signal: null,
    stdout: ["#1: a"],
    stderr: ["Policy: round_robin {}"],
  });
});

test("the calls of one hash key go to one of two servers", async () => {
  const podsOfKey = async (key: string) => {
    const args = ["--target", both, "--policy", "ring_hash", "--hash-key", key, "--count", "20", "--interval", "1ms"];
    const { code, stdout } = await runToEnd(main, args);
    assert.equal(code, 0);
    return [...new Set(podsOf(stdout.slice(10)))]; // by then both are connected
  };
  const keys = await Promise.all(["a", "b", "c", "d", "e", "f"].map(podsOfKey));
  for (const pods of keys) assert.equal(pods.length, 1, `the calls of one key went to ${pods}`);
});

test("the policy in use is printed, and fields without effect are warnings", async () => {
  const config = '{"loadBalancingConfig":[{"not_yet":{}},{"random":{}}],"healthCheckConfig":{"serviceName":"x"}}';
  const { code, stderr } = await runToEnd(main, ["--target", both, "--service-config", config, "--count", "1"]);
  assert.deepEqual([code, stderr[0], stderr.length], [0, "Policy: random {}", 2], stderr.join("\n"));
  assert.match(stderr[1] ?? "", /^Warning: --service-config: healthCheckConfig is ignored: /);
});

test("the README lists every flag with its variable and default, and every policy", async () => {
  const readme = readFileSync(`${import.meta.dirname}/../README.md`, "utf8");
  const help = (await runToEnd(main, ["--help"])).stdout.join(" ").replace(/\s+/g, " ");
  const flags = [...help.matchAll(/(--[a-z-]+) <[a-z]+> .*?\(default: (.*?), env: ([A-Z_]+)\)/g)];
  assert.equal(flags.length, 18);
  for (const [, flag, value, variable] of flags) {
    const row = `| \`${flag}\` | \`${variable}\` | ${value} |`;
    assert.ok(readme.includes(row), `want a row that begins "${row}"`);
  }
  const policies = /load balancing policy[^:]*:value}: (.*?) \(default/.exec(help)?.[1]?.split(", ") ?? [];
  assert.ok(policies.length > 8, `policies in the help: ${policies}`);
  for (const policy of policies) assert.ok(readme.includes(`\`${policy}\``), `want ${policy}`);
});

test("a proxy in the environment is not used", async () => {
  const proxy = "http://127.0.0.1:9"; // nobody listens there
  const env = { http_proxy: proxy, https_proxy: proxy, grpc_proxy: proxy };
  const { code, stdout, stderr } = await runToEnd(main, ["--target", onlyA, "--count", "1"], env);
  assert.deepEqual([code, stdout, stderr], [0, ["#1: a"], []]);
});
