/** `make kube-verdict` with a stand-in for kubectl, which prints logs of clients that have called once a second. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";

const startMs = Date.now() - 3_600_000;
const timeOf = (second: number) => new Date(startMs + second * 1_000).toISOString();
const servers = ["server-a", "server-b", "server-c"];

const podOf = (app: string, name: string, age: number) => ({
  metadata: { name, creationTimestamp: timeOf(-age) },
  spec: { containers: [{ name: app }] },
  status: {
    conditions: [{ type: "Ready", status: "True", lastTransitionTime: timeOf(-60) }],
    containerStatuses: [{ name: app, restartCount: 0, state: { running: {} } }],
  },
});

/** 90 lines, one for each second. */
const logOf = (line: (n: number) => string) =>
  Array.from({ length: 90 }, (_, i) => `${timeOf(i)} ${line(i + 1)}\n`).join("");
const inTurn = logOf((n) => `#${n}: ${servers[n % 3]}`);

/** @param logs the log of each pod of client-grpc, whose strategy is `resolver` */
function verdict(t: TestContext, logs: Readonly<Record<string, string>>, ...args: readonly string[]) {
  const folder = mkdtempSync(join(tmpdir(), "grpc-lb-verdict-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const deployment = {
    metadata: { name: "client-grpc", annotations: { "grpc-lb.dev/strategy": "resolver" } },
    spec: { template: { spec: { containers: [{ name: "client-grpc" }] } } },
  };
  const answers: [string, unknown][] = [
    ["config view", { "current-context": "test" }],
    ["auth can-i", "yes\n"],
    ["get deployment client-grpc", deployment],
    ["app=server", { items: servers.map((name) => podOf("server", name, 60)) }],
    ["app=client-http", { items: [podOf("client-http", "client-http-x", 30)] }],
    ["app=client-grpc", { items: Object.keys(logs).map((name, i) => podOf("client-grpc", name, 30 - i)) }],
    ["logs client-http-x ", inTurn],
    ...Object.entries(logs).map(([name, log]): [string, unknown] => [`logs ${name} `, log]),
  ];
  const cases = answers.map(([part, answer], i) => {
    writeFileSync(join(folder, `${i}`), typeof answer === "string" ? answer : JSON.stringify(answer));
    return `*"${part}"*) exec cat '${folder}/${i}' ;;`;
  });
  const script = ["#!/bin/sh", 'case "$* " in', ...cases, "*) echo {} ;;", "esac", ""].join("\n");
  writeFileSync(join(folder, "kubectl"), script, { mode: 0o755 });
  return spawnSync(process.execPath, [join(import.meta.dirname, "verdict.ts"), ...args], {
    env: { PATH: `${folder}:${process.env.PATH}` },
    encoding: "utf8",
    timeout: 30_000,
  });
}

test("a client in turn is as it must be, and the exit code is 0", (t) => {
  const { status, stdout, stderr } = verdict(t, { "client-grpc-x": inTurn });
  assert.equal(stderr, "");
  assert.match(stdout, /^client-grpc {2}resolver +85 +0 {2}3 of 3 {2}.* % {2}BALANCED {2}BALANCED$/m);
  assert.equal(status, 0);
});

test("each pod of a client is judged, also one that is not the newest", (t) => {
  const pinned = logOf((n) => `#${n}: server-a`);
  const logs = { "client-grpc-x": pinned, "client-grpc-y": inTurn };
  const { status, stdout, stderr } = verdict(t, logs);
  assert.match(stdout, /^client-grpc-y {2}resolver .* BALANCED {2}BALANCED$/m);
  assert.match(stdout, /^client-grpc-x {2}resolver .* PINNED {4}BALANCED$/m);
  assert.match(stderr, /^client-grpc-x: expected BALANCED, got PINNED\. .+\n$/);
  assert.equal(status, 1);
  const { clients } = JSON.parse(verdict(t, logs, "--json").stdout);
  assert.deepEqual(
    clients.map(({ client, pod, verdict }: Record<string, string>) => [client, pod, verdict]),
    [
      ["client-http", "client-http-x", "BALANCED"],
      ["client-grpc", "client-grpc-y", "BALANCED"],
      ["client-grpc", "client-grpc-x", "PINNED"],
    ],
  );
});

test("a client whose calls all fail is not as it must be", (t) => {
  const { status, stdout, stderr } = verdict(t, { "client-grpc-x": logOf(() => "Error: 14 UNAVAILABLE: x") });
  assert.match(stdout, /^client-grpc {2}resolver +0 +85 {2}- +- +- +BALANCED$/m);
  assert.match(stderr, /^client-grpc: expected calls, got none; expected no failed call, got 85, the last: 14 UNAVAIL/);
  assert.equal(status, 1);
});
