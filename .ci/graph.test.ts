/** Nx's graph of projects: what a change can break, and that dependencies only go down the layers. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "./test-counts.ts";

function nx(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(join(root, "node_modules/.bin/nx"), args, {
    cwd: root,
    encoding: "utf8",
  });
  assert.equal(status, 0, stderr);
  return stdout;
}

interface Graph {
  readonly nodes: Readonly<
    Record<string, { readonly data: { readonly tags: readonly string[]; readonly targets: object } }>
  >;
  readonly dependencies: Readonly<Record<string, readonly { readonly target: string; readonly type: string }[]>>;
}

function readGraph(): Graph {
  const folder = mkdtempSync(join(tmpdir(), "grpc-lb-graph-"));
  try {
    nx("graph", `--file=${folder}/graph.json`);
    return JSON.parse(readFileSync(`${folder}/graph.json`, "utf8")).graph;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const graph = readGraph();
const all = Object.keys(graph.nodes).sort();
const own = (...names: string[]) => names.map((name) => `@grpc-lb/${name}`);

for (const [file, expected] of [
  ["biome.json", all],
  [".ci/test-project.ts", all.filter((name) => name !== "@grpc-lb/protos")], // which has no tests
  ["Makefile", ["workspace"]],
  ["libs/core/src/clock.ts", all.filter((name) => name !== "@grpc-lb/protos")],
  ["protos/pod/v1/pod.proto", all.filter((name) => !own("core", "program", "verdict").includes(name))],
  ["apps/server/src/main.ts", [...own("client-grpc", "client-http", "k8s", "lab", "server"), "workspace"]],
] as const) {
  test(`a change of ${file} affects ${expected.length} of the ${all.length} projects`, () => {
    const affected: string[] = JSON.parse(nx("show", "projects", "--affected", `--files=${file}`, "--json"));
    assert.deepEqual(affected.sort(), [...expected].sort());
  });
}

/** From the lowest layer to the highest. */
const layers = [
  "contracts",
  "core",
  "foundation",
  "transport",
  "discovery",
  "balancing",
  "operations",
  "app",
  "workspace",
];

test("a project depends only on projects of lower layers; an app may start other apps", () => {
  const layerOf = (name: string) => {
    const tags = graph.nodes[name]?.data.tags ?? [];
    const layer = layers.findIndex((layer) => tags.includes(`layer:${layer}`));
    assert.notEqual(layer, -1, `${name} has no layer tag of ${layers.join(", ")}`);
    return layer;
  };
  for (const name of all) {
    for (const { target, type } of graph.dependencies[name] ?? []) {
      if (target.startsWith("npm:")) continue;
      const isStarted = type === "implicit" && layerOf(name) === layerOf(target);
      assert.ok(
        isStarted || layerOf(target) < layerOf(name),
        `${name} depends on ${target}, which is not in a lower layer`,
      );
    }
  }
});

test("every project has the targets lint and typecheck, test where it has tests, and bundle where it has an image", () => {
  const withTarget = (target: string) => all.filter((name) => target in (graph.nodes[name]?.data.targets ?? {}));
  assert.deepEqual(withTarget("lint"), all);
  assert.deepEqual(withTarget("typecheck"), all);
  assert.deepEqual(
    withTarget("test"),
    all.filter((name) => name !== "@grpc-lb/protos"),
  );
  assert.deepEqual(withTarget("bundle"), own("client-grpc", "client-http", "compare", "control-plane", "server"));
});
