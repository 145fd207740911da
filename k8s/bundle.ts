/**
 * Bundles an app into the files of its image: `node k8s/bundle.ts apps/server`, from the root of the repository, writes
 * apps/server/dist/image. The same sources give the same bytes, because the image's tag is made from them.
 *
 * ```
 * dist/app/main.cjs      the program, two folders down, because grpc packages read ../../proto from where they are
 * dist/app/….cjs         what the program loads only when it is asked for, such as telemetry
 * dist/…                 what the app's src/image-files.ts writes, if it has one: the page of apps/compare
 * proto/, deps/          the .proto files that those packages read when they run
 * THIRD-PARTY-NOTICES    the notices that the licences of the bundled packages require
 * ```
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { type BuildOptions, build, type Plugin } from "esbuild";
import { collectNotices } from "./image/notices.ts";
import { type Chunk, splitOnDemand, takeGrpcOfProgram } from "./image/on-demand.ts";

const project = process.argv[2];
if (project === undefined || !existsSync(join(project, "src/main.ts"))) {
  process.stderr.write("bundle: name an app, from the root of the repository: node k8s/bundle.ts apps/server\n");
  process.exit(2);
}

/** The files of grpc-js-xds, which read .proto files two or three folders up. In a bundle all of them stand in one folder. */
const xdsDeps: Plugin = {
  name: "grpc-js-xds",
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]@grpc[\\/]grpc-js-xds[\\/]build[\\/]src[\\/].*\.js$/ }, ({ path }) => {
      const text = readFileSync(path, "utf8");
      return { contents: text.replaceAll("__dirname + '/../../../deps/", "__dirname + '/../../deps/") };
    });
  },
};

const tree = join(project, "dist/image");
rmSync(tree, { recursive: true, force: true });
const program = join(tree, "dist/app/main.cjs");
const chunks = new Map<string, Chunk>();
const options: BuildOptions & { metafile: true } = {
  bundle: true,
  platform: "node",
  target: "node24",
  format: "cjs",
  minify: true,
  // Needed only to refresh the OIDC token of a kubeconfig, which a pod does not have. The code that loads them reports their
  // absence. esbuild is for programs that bundle when they start, which the files beside them spare them in an image.
  external: ["@kubernetes/client-node", "openid-client", "esbuild"],
  define: { "import.meta.dirname": "__dirname" },
  keepNames: true, // logs contain the names of error classes
  legalComments: "none", // THIRD-PARTY-NOTICES has them
  metafile: true,
  logLevel: "warning",
  logOverride: { "empty-import-meta": "error" },
  plugins: [xdsDeps, splitOnDemand(chunks)],
};
const { metafile } = await build({ ...options, entryPoints: [join(project, "src/main.ts")], outfile: program });
const isFile = (input: string) => existsSync(input); // the others are what a plugin makes
const inputs = Object.keys(metafile.inputs).filter(isFile);
const files = [program];
for (const { name, entry } of chunks.values()) {
  const outfile = join(tree, "dist/app", name);
  const plugins = [...(options.plugins ?? []), takeGrpcOfProgram];
  const chunk = await build({ ...options, plugins, entryPoints: [entry], outfile });
  const [written] = Object.values(chunk.metafile.outputs);
  const isGrpc = ([path, { bytesInOutput }]: [string, { bytesInOutput: number }]) =>
    bytesInOutput > 0 && path.includes("node_modules/@grpc/grpc-js/");
  if (Object.entries(written?.inputs ?? {}).some(isGrpc)) throw new Error(`bundle: ${name} has a copy of grpc-js`);
  inputs.push(...Object.keys(chunk.metafile.inputs).filter(isFile));
  files.push(outfile);
}

const imageFiles = join(project, "src/image-files.ts");
if (existsSync(imageFiles)) {
  const paths = execFileSync(process.execPath, [imageFiles, join(tree, "dist")], { encoding: "utf8" });
  inputs.push(...paths.split("\n").filter(Boolean));
}

for (const input of new Set(inputs.filter((path) => readFileSync(path, "utf8").includes("../../proto")))) {
  const from = resolve(dirname(input), "../../proto");
  for (const path of globSync("**/*.proto", { cwd: from }).filter((name) => !name.startsWith("sample/"))) {
    const to = join(tree, "proto", path);
    if (existsSync(to) && !readFileSync(to).equals(readFileSync(join(from, path))))
      throw new Error(`bundle: two packages bring a proto/${path}, and they differ`);
    mkdirSync(dirname(to), { recursive: true });
    copyFileSync(join(from, path), to);
  }
}

const [xdsFile] = inputs.filter((path) => path.endsWith("@grpc/grpc-js-xds/build/src/index.js"));
if (xdsFile !== undefined) {
  const from = resolve(dirname(xdsFile), "../../deps");
  for (const path of globSync("**/*.proto", { cwd: from })) {
    mkdirSync(dirname(join(tree, "deps", path)), { recursive: true });
    copyFileSync(join(from, path), join(tree, "deps", path));
  }
  // The engine of its regular expressions, which is read from beside the file that loads it.
  for (const wasm of inputs.filter((path) => path.endsWith("re2-wasm/build/wasm/re2.js"))) {
    copyFileSync(wasm.replace(/js$/, "wasm"), join(dirname(program), "re2.wasm"));
  }
}

writeFileSync(join(tree, "THIRD-PARTY-NOTICES"), collectNotices([...new Set(inputs)]));

const sizes = files.map((file) => `${basename(file)} ${Math.round(readFileSync(file).length / 1000)} kB`);
process.stdout.write(`bundled ${basename(project)}: ${sizes.join(", ")}, from ${new Set(inputs).size} files\n`);
