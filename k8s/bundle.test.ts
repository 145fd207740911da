import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { type TestContext, test } from "node:test";

const root = join(import.meta.dirname, "..");

/** Creates an app; `bundle` bundles it, and returns the folder of its image's files. */
function createApp(t: TestContext, program: readonly string[]) {
  // Within the repository, so that the bundled packages are found; never in an app's own dist, which may be in use.
  mkdirSync(join(root, "k8s/dist"), { recursive: true });
  const project = mkdtempSync(join(root, "k8s/dist/bundle-test-"));
  t.after(() => rmSync(project, { recursive: true, force: true }));
  mkdirSync(join(project, "src"));
  writeFileSync(join(project, "src/main.ts"), program.join("\n"));
  const bundle = () => {
    const args = [join(root, "k8s/bundle.ts"), relative(root, project)];
    const { status, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
    assert.equal(status, 0, stderr);
    return join(project, "dist/image");
  };
  return { project, bundle };
}

test("a bundle runs on its own, finds the .proto files that grpc packages read, and is reproducible", (t) => {
  const { project, bundle } = createApp(t, [
    'import { HealthImplementation } from "grpc-health-check";', // reads its .proto at once
    'import { ServerMetricRecorder, Server } from "@grpc/grpc-js";',
    "new ServerMetricRecorder().addToServer(new Server());", // reads ORCA's
    'import("./extra/on-demand.ts").then(({ word }) => console.log(typeof HealthImplementation, word));',
  ]);
  mkdirSync(join(project, "src/extra"));
  writeFileSync(join(project, "src/extra/on-demand.ts"), 'export const word = "serves";');
  const beside = 'import { writeFileSync } from "node:fs"; writeFileSync(process.argv[2] + "/page.js", "page");';
  writeFileSync(join(project, "src/image-files.ts"), beside);

  const read = () => {
    const tree = bundle();
    const files = globSync("**", { cwd: tree, withFileTypes: true }).filter((entry) => entry.isFile());
    const paths = files.map((file) => join(file.parentPath, file.name)).sort();
    return new Map(paths.map((path) => [relative(tree, path), readFileSync(path, "base64")]));
  };
  const first = read();
  assert.deepEqual(read(), first);

  const names = [...first.keys()];
  assert.ok(names.includes("proto/health/v1/health.proto"), names.join(" "));
  assert.deepEqual(
    names.filter((name) => !name.startsWith("proto/")),
    ["THIRD-PARTY-NOTICES", "dist/app/extra.cjs", "dist/app/main.cjs", "dist/page.js"],
  );
  const notices = Buffer.from(first.get("THIRD-PARTY-NOTICES") ?? "", "base64").toString();
  assert.match(notices, /^@grpc\/grpc-js .* \(Apache-2\.0\)\n(?:\S.*\n)*grpc-health-check .* \(Apache-2\.0\)\n/m);

  const run = spawnSync(process.execPath, [join(project, "dist/image/dist/app/main.cjs")], {
    cwd: "/",
    encoding: "utf8",
  });
  assert.equal(run.stdout, "function serves\n", run.stderr);
  const main = Buffer.from(first.get("dist/app/main.cjs") ?? "", "base64").toString();
  assert.doesNotMatch(main, /serves/, "what is loaded on demand is not in the program");
});

test("grpc-js-xds is loaded on demand, and works with the program's grpc-js", (t) => {
  const { bundle } = createApp(t, [
    'import { Server } from "@grpc/grpc-js";',
    'import("@grpc/grpc-js-xds").then(({ default: xds }) => console.log(xds.XdsServer.prototype instanceof Server));',
  ]);
  const app = join(bundle(), "dist/app");
  assert.deepEqual(globSync("*", { cwd: app }).sort(), ["grpc-js-xds.cjs", "main.cjs", "re2.wasm"]);
  const run = spawnSync(process.execPath, [join(app, "main.cjs")], { cwd: "/", encoding: "utf8" });
  assert.equal(run.stdout, "true\n", run.stderr);
});

test("a folder that is not an app is an error in one line", () => {
  const { status, stderr } = spawnSync(process.execPath, ["k8s/bundle.ts", "apps/nope"], {
    cwd: root,
    encoding: "utf8",
  });
  assert.equal(status, 2);
  assert.match(stderr, /^bundle: name an app.*\n$/);
});
