import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

interface Package {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  /** The texts of its licence and notice files, without spaces at the ends. */
  readonly texts: readonly string[];
}

/**
 * Collects the notices that the licences of bundled packages require, each text once, under its packages.
 *
 * @param inputs the paths of the bundled files in esbuild's metafile; files outside node_modules are this project's own
 */
export function collectNotices(inputs: readonly string[]): string {
  const folders = new Set(inputs.flatMap((path) => packageFolder(path) ?? []));
  const byId = new Map([...folders].map(readPackage).map((bundled) => [idOf(bundled), bundled]));
  const packages = [...byId.values()].sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1));
  const owners = new Map<string, Package[]>();
  for (const bundled of packages) {
    for (const text of bundled.texts) owners.set(text, [...(owners.get(text) ?? []), bundled]);
  }
  const sections = [...owners].map(([text, used]) => `${used.map(idOf).join("\n")}\n\n${text}\n`);
  const unlicensed = packages.filter(({ texts }) => texts.length === 0);
  if (unlicensed.length > 0)
    sections.push(`${unlicensed.map(idOf).join("\n")}\n\n(published without a licence file)\n`);
  return ["This program contains the following packages.\n", ...sections].join(`\n${"-".repeat(80)}\n`);
}

/** The folder of the package that a path belongs to, or null for this project's own. */
export function packageFolder(path: string): string | null {
  return /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? null;
}

function readPackage(folder: string): Package {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const texts = readdirSync(folder)
    .sort()
    .filter((file) => /^(licen[cs]e|notice|copying)(\.(md|txt))?$/i.test(file))
    .map((file) => readFileSync(join(folder, file), "utf8").replaceAll("\r\n", "\n").trim());
  return { name, version, licence: license, texts };
}

const idOf = ({ name, version, licence }: Package) => `${name} ${version} (${licence})`;
