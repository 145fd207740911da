import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";

/** Runs doctor.sh with a PATH that has only sed, tail and the given tools, each a script. */
function doctor(t: TestContext, tools: Record<string, string>, ...args: string[]) {
  return doctorIn(t, {}, tools, ...args);
}

/** The same, with environment variables. */
function doctorIn(t: TestContext, env: Record<string, string>, tools: Record<string, string>, ...args: string[]) {
  const bin = mkdtempSync(join(tmpdir(), "doctor-"));
  t.after(() => rmSync(bin, { recursive: true, force: true }));
  for (const helper of ["sed", "tail"]) {
    const found = spawnSync("/bin/sh", ["-c", `command -v ${helper}`], { encoding: "utf8" }).stdout.trim();
    symlinkSync(found, join(bin, helper));
  }
  for (const [name, script] of Object.entries(tools)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(bin, name), 0o755);
  }
  const script = join(import.meta.dirname, "doctor.sh");
  return spawnSync("/bin/sh", [script, ...args], { env: { PATH: bin, ...env }, encoding: "utf8" });
}

const node = { node: "echo v24.1.0", npm: "echo 11.0.0" };

test("demo and test need only Node and npm", (t) => {
  const { status, stdout } = doctor(t, node);
  assert.equal(status, 0, stdout);
  assert.match(stdout, /^✓ node +24\.1\.0 /m);
  assert.match(stdout, /^- kubectl +missing .*\n +get it: .*kubernetes\.io/m);
});

test("demo and test do not need a registry; the table shows how to get one", (t) => {
  for (const target of ["demo", "test"]) {
    const { status, stdout } = doctor(t, node, "--for", target);
    assert.equal(status, 0, stdout);
    assert.match(stdout, /^- etcd +missing +demo STRATEGIES=all, test\n +get it: apt install etcd-server, .*etcd\.io/m);
    assert.match(stdout, /^- consul +missing +demo STRATEGIES=all, test\n +get it: .*hashicorp\.com\/consul/m);
  }
});

test("an installed registry is shown with its version, and one that does not run is reported", (t) => {
  const etcd = "echo etcd Version: 3.4.23; echo Git SHA: none";
  const { stdout } = doctor(t, { ...node, etcd, consul: "exit 1" });
  assert.match(stdout, /^✓ etcd +3\.4\.23 /m);
  assert.match(stdout, /^- consul +does not run /m);
});

test("for one target, only what it needs is shown", (t) => {
  const { status, stdout } = doctor(t, node, "--for", "certs");
  assert.equal(status, 1);
  const rows = stdout.split("\n").filter((line) => /^[✓✗-]/.test(line));
  assert.deepEqual(
    rows.map((line) => line.split(/ +/)[1]),
    ["node", "npm", "openssl"],
  );
});

test("a missing Node is reported with the way to get it", (t) => {
  const { status, stdout } = doctor(t, {});
  assert.equal(status, 1);
  assert.match(stdout, /^✗ node +missing .*\n +get it: .*nodejs\.org/m);
});

test("a Node that is too old counts as missing", (t) => {
  const { status, stderr } = doctor(t, { ...node, node: "echo v18.20.0" }, "--for", "init", "--quiet");
  assert.equal(status, 1);
  assert.equal(
    stderr,
    "init needs node: 18.20.0 is too old; Node 20 or newer: https://nodejs.org or your package manager\n",
  );
});

test("--quiet prints one line for each missing tool that the target needs", (t) => {
  const { status, stdout, stderr } = doctor(t, node, "--for", "kube-deploy", "--quiet");
  assert.equal(status, 1);
  assert.equal(stdout, "");
  assert.match(stderr, /^kube-deploy needs kubectl: missing; .*\nkube-deploy needs cluster: missing; .*\n$/);
});

test("a cluster that does not answer is reported with kubectl's reason", (t) => {
  const kubectl =
    'case "$*" in *current-context*) echo kind-x ;; *--client*) echo Client Version: v1.34.0 ;; *) echo refused >&2; exit 1 ;; esac';
  const { status, stderr } = doctor(t, { ...node, kubectl }, "--for", "kube-logs", "--quiet");
  assert.equal(status, 1);
  assert.match(stderr, /^kube-logs needs cluster: kind-x does not answer \(refused\); .*\n$/);
});

test("an unknown target is an error that lists the known ones", (t) => {
  const { status, stderr } = doctor(t, node, "--for", "nope");
  assert.equal(status, 2);
  assert.match(stderr, /unknown target nope; known: .*kube-deploy/);
});

test("the error for a cluster names KUBECONFIG if it is set", (t) => {
  const kubectl = 'case "$*" in *--client*) echo Client Version: v1.34.0 ;; *) exit 1 ;; esac';
  const args = ["--for", "kube-deploy", "--quiet"];
  const { stderr } = doctorIn(t, { KUBECONFIG: "/nonexistent" }, { ...node, kubectl }, ...args);
  assert.match(stderr, /^kube-deploy needs cluster: no current context, KUBECONFIG=\/nonexistent; .*\n$/);
});

for (const [rows, said] of [
  ["istio-system/", "✗ istiod +in istio-system, not ready "],
  ["istio-system/1", "✓ istiod +in istio-system, ready "],
  ["istio-2/\\nistio-system/10", "✓ istiod +in istio-system, ready "],
  ["istio-1/0", "✗ istiod +in istio-1, not ready "],
  ["", "✗ istiod +not in this cluster "],
] as const) {
  test(`istiod deployments "${rows}" are shown as: ${said}`, (t) => {
    const answers = `*current-context*) echo kind-x ;; *--client*) echo Client Version: v1 ;; *--raw*) echo '"gitVersion": "v1"' ;;`;
    const kubectl = `case "$*" in ${answers} *istiod*) printf '${rows}' ;; esac`;
    const tools = { ...node, kubectl };
    assert.match(doctor(t, tools, "--for", "istio-inject").stdout, new RegExp(`^${said}`, "m"));
    const quiet = doctor(t, tools, "--for", "istio-inject", "--quiet");
    assert.deepEqual([quiet.status, quiet.stderr], [0, ""], "istio-inject itself checks istiod");
  });
}

test("the table fits into 80 columns, and no line ends in spaces", (t) => {
  const answers = `*current-context*) echo kind-x ;; *--client*) echo Client Version: v1.34.0 ;; *) exit 1 ;;`;
  const kubectl = `case "$*" in ${answers} esac`;
  for (const tools of [{}, node, { ...node, kubectl, docker: "exit 1", etcd: "exit 1" }]) {
    const { stdout } = doctor(t, tools);
    const wrong = stdout.split("\n").filter((line) => [...line].length > 80 || line.endsWith(" "));
    assert.deepEqual(wrong, []);
  }
});

test("a value that is too long for its column moves the next one to a line of its own", (t) => {
  const kubectl = 'case "$*" in *--client*) echo Client Version: v1.34.0 ;; *) exit 1 ;; esac';
  const { stdout } = doctorIn(t, { KUBECONFIG: "/a/rather/long/path" }, { ...node, kubectl });
  assert.match(stdout, /^- cluster +no current context, KUBECONFIG=\/a\/rather\/long\/path\n {46}kube-\*/m);
});
