/** The examples, each in a folder of its own with the packed packages: they do what their READMEs show. */
import assert from "node:assert/strict";
import { cpSync, globSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { test } from "node:test";
import { execute } from "./execute.ts";
import { packageNames } from "./packages.ts";
import { root } from "./places.ts";
import { createProject } from "./project.ts";
import { findRegistryProblem } from "./registry.ts";

const examples = join(root, "examples");
const names = globSync("*/package.json", { cwd: examples }).map(dirname).sort();
const limitMs = 60_000;
/** npm runs the node that runs this test. */
const env = { PATH: [dirname(process.execPath), process.env.PATH].join(delimiter) };

/** A command of a README, and the lines that it shows. */
interface Shown {
  readonly script: string;
  readonly lines: readonly string[];
}

const skip = await findRegistryProblem();
const folders = new Map<string, string>();
if (skip === undefined) for (const name of names) folders.set(name, await createExample(name));

for (const name of names) {
  test(`examples/${name} does what its README shows`, { skip: skip ?? false }, async () => {
    const folder = folders.get(name) ?? "";
    // Fails if an installed version is not in the range that the example's package.json has.
    await execute("npm", ["ls"], { folder, env, limitMs });
    const shown = readShown(name);
    assert.deepEqual(shown.map(({ script }) => script).sort(), Object.keys(readManifest(name).scripts).sort());
    for (const { script, lines } of shown) {
      const { stdout, stderr } = await execute("npm", ["run", "--silent", script], { folder, env, limitMs });
      if (script === "start") assert.equal(stderr, "", "npm start writes to stderr");
      assertShape(`${stdout}${stderr}`.split("\n"), lines, script);
    }
  });
}

test("the table of examples/README.md has every example", () => {
  const text = readFileSync(join(examples, "README.md"), "utf8");
  assert.deepEqual([...text.matchAll(/^\| \[([\w-]+)\]/gm)].map(([, name]) => name).sort(), names);
});

/** Copies an example into a fresh folder that has what it depends on, in the versions of the table. */
async function createExample(name: string): Promise<string> {
  const { dependencies, devDependencies, ...fields } = readManifest(name);
  const needed = Object.keys({ ...dependencies, ...devDependencies });
  const others = needed.filter((other) => !other.startsWith("@grpc-lb/"));
  // Each of the others needs discovery.
  const packages = packageNames.filter((each) => each === "discovery" || needed.includes(`@grpc-lb/${each}`));
  const folder = await createProject({ name: `example-${name}`, packages, others, fields, programs: [] });
  rmSync(join(folder, "package.json")); // a hard link to what is cached
  for (const file of readdirSync(join(examples, name))) {
    if (!["node_modules", "dist", "package-lock.json"].includes(file)) {
      cpSync(join(examples, name, file), join(folder, file), { recursive: true });
    }
  }
  return folder;
}

interface Manifest {
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

function readManifest(name: string): Manifest {
  return JSON.parse(readFileSync(join(examples, name, "package.json"), "utf8"));
}

/** The blocks of a README that begin with `$ npm start` or `$ npm test`. */
function readShown(name: string): Shown[] {
  const text = readFileSync(join(examples, name, "README.md"), "utf8");
  return [...text.matchAll(/^```console\n\$ npm (start|test)\n(.*?)^```$/gms)].map(([, script = "", output = ""]) => ({
    script,
    lines: output.split("\n").filter((line) => line !== ""),
  }));
}

/**
 * Fails unless the output has the lines shown, in this order, whatever their numbers. What a start prints must be whole, its
 * numbers have the sum shown, such as the calls that were made, and those shown as 0 are 0.
 */
function assertShape(output: readonly string[], shown: readonly string[], script: string): void {
  const shapes = new Set(shown.map(shapeOf));
  const lines = output.filter((line) => (script === "start" ? line !== "" : shapes.has(shapeOf(line))));
  const whole = output.join("\n");
  assert.deepEqual(lines.map(shapeOf), shown.map(shapeOf), whole);
  if (script !== "start") return;
  assert.equal(sumOf(lines), sumOf(shown), whole);
  assert.deepEqual(lines.map(zerosOf), shown.map(zerosOf), whole);
}

/** A line without the times and numbers that differ from run to run. */
function shapeOf(line: string): string {
  const untimed = line.replace(/ \([\d.]+ ?m?s\)$/, "");
  return untimed
    .replace(/\d+(\.\d+)?/g, "0")
    .replace(/ +/g, " ")
    .trim();
}

/** Numbers that stand alone, not those of names. */
const numbersOf = (line: string): number[] => [...line.matchAll(/(?<=^|\s)\d+(?=\s|$)/g)].map(Number);
const sumOf = (lines: readonly string[]): number => lines.flatMap(numbersOf).reduce((sum, number) => sum + number, 0);
const zerosOf = (line: string): boolean[] => numbersOf(line).map((number) => number === 0);
