/** Nx's graph of projects: what a change can break, and that dependencies only go down the layers. */
import assert from "node:assert/strict";
import { test } from "node:test";
// What `nx show projects --affected` calls: a process for each question would take half a second.
import { filterAffected } from "nx/src/project-graph/affected/affected-project-graph.js";
import { calculateFileChanges } from "nx/src/project-graph/file-utils.js";
import { createProjectGraphAsync } from "nx/src/project-graph/project-graph.js";

const graph = await createProjectGraphAsync({ exitOnError: true });
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
  test(`a change of ${file} affects ${expected.length} of the ${all.length} projects`, async () => {
    const affected = await filterAffected(graph, calculateFileChanges([file], {}));
    assert.deepEqual(Object.keys(affected.nodes).sort(), [...expected].sort());
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
