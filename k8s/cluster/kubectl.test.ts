import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createKubectl, namespaceFlag } from "./kubectl.ts";

/** Puts a kubectl first in the PATH that prints `view` for `config view` and records all its other arguments. */
function fakeKubectl(t: TestContext, view: object | null, script = ""): { calls: () => string[] } {
  const bin = mkdtempSync(join(tmpdir(), "kubectl-"));
  const path = process.env.PATH;
  t.after(() => {
    process.env.PATH = path;
    rmSync(bin, { recursive: true });
  });
  writeFileSync(join(bin, "view"), JSON.stringify(view));
  const answer = view === null ? "echo no context >&2; exit 1" : `cat ${bin}/view; exit 0`;
  const text = `#!/bin/sh\ncase "$*" in "config view"*) ${answer} ;; esac\necho "$*" >>${bin}/calls\n${script}\n`;
  writeFileSync(join(bin, "kubectl"), text);
  chmodSync(join(bin, "kubectl"), 0o755);
  process.env.PATH = `${bin}:${path}`;
  return { calls: () => readFileSync(join(bin, "calls"), "utf8").trim().split("\n") };
}

const view = {
  "current-context": "work",
  contexts: [{ name: "work", context: { namespace: "team", cluster: "c" } }],
  clusters: [{ name: "c", cluster: { extensions: [{ extension: { namespace: "not-this-one" } }] } }],
};

test("context and namespace are read once and passed to every kubectl", async (t) => {
  const { calls } = fakeKubectl(t, view);
  const kubectl = await createKubectl("");
  assert.equal(kubectl.namespace, "team");
  await kubectl.run(["get", "pods"]);
  assert.deepEqual(calls(), ["--context work --namespace team get pods"]);
});

test("a given namespace takes precedence over the context's; without either it is default", async (t) => {
  fakeKubectl(t, { ...view, contexts: [{ context: {} }] });
  assert.equal((await createKubectl("")).namespace, "default");
  assert.deepEqual((await createKubectl("mine")).where, ["--context", "work", "--namespace", "mine"]);
});

test("without a context, no --context is passed", async (t) => {
  fakeKubectl(t, null);
  assert.deepEqual((await createKubectl("mine")).where, ["--namespace", "mine"]);
});

test("warnings of a successful command are printed, the client library's log is not", async (t) => {
  fakeKubectl(t, view, 'echo "Warning: would violate PodSecurity" >&2; echo "I0101 log" >&2');
  const kubectl = await createKubectl("");
  const write = t.mock.method(process.stderr, "write", () => true);
  await kubectl.run(["apply"], { show: true });
  const written = write.mock.calls.map(({ arguments: [text] }) => text);
  write.mock.restore();
  assert.deepEqual(written, ["Warning: would violate PodSecurity\n"]);
});

test("a kubectl whose server never answers is ended, and the error says so", async (t) => {
  fakeKubectl(t, view, "exec sleep 60");
  const kubectl = await createKubectl("");
  const { code, problem } = await kubectl.try(["get", "pods"], { limitMs: 200 });
  assert.deepEqual([code, problem], [124, "no end within 0.2 s"]);
});

test("an invalid namespace name is an error", () => {
  for (const name of ["a", "team-1", "a".repeat(63)]) assert.equal(namespaceFlag.parse(name), name);
  for (const name of ["-A", "a_b", "A", "a.b", "-a", "a-", "a b", "a".repeat(64), "--all-namespaces"])
    assert.throws(() => namespaceFlag.parse(name), /must be a namespace's name/, name);
});
