/** How a project is installed by npm, pnpm and Yarn. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { execute } from "./execute.ts";

/** What a project depends on: names, and exact versions or tarballs. */
export type Dependencies = Readonly<Record<string, string>>;

/** A way to install. */
export interface Installer {
  readonly name: "npm" | "pnpm" | "yarn";
  /** Installs into a folder whose package.json is `manifest`. `tarballs` are those of this repository's packages. */
  install(folder: string, manifest: object, tarballs: Dependencies): Promise<void>;
}

export const npm: Installer = {
  name: "npm",
  async install(folder, manifest) {
    writeManifest(folder, manifest);
    const flags = [
      "--prefer-offline",
      "--no-audit",
      "--no-fund",
      "--no-package-lock",
      "--install-links",
      "--loglevel=error",
    ];
    await execute("npm", ["install", ...flags], { folder, env: installerEnv(), limitMs });
  },
};

/** @param program pnpm's */
export function createPnpm(program: string): Installer {
  return {
    name: "pnpm",
    async install(folder, manifest, tarballs) {
      writeManifest(folder, manifest);
      // They depend on each other by versions that are in no registry.
      writeFileSync(
        join(folder, "pnpm-workspace.yaml"),
        JSON.stringify({ overrides: tarballs, minimumReleaseAge: 0, strictPeerDependencies: true }),
      );
      const flags = ["--prefer-offline", "--ignore-scripts", "--no-frozen-lockfile", "--reporter=append-only"];
      await execute(program, ["install", ...flags], { folder, env: installerEnv(), limitMs });
    },
  };
}

/** Yarn with Plug'n'Play. @param program Yarn's */
export function createYarn(program: string): Installer {
  return {
    name: "yarn",
    async install(folder, manifest, tarballs) {
      writeManifest(folder, { ...manifest, resolutions: tarballs });
      const registry = await execute("npm", ["config", "get", "registry"], { folder, env: installerEnv() });
      const settings = {
        nodeLinker: "pnp",
        pnpEnableEsmLoader: true,
        enableGlobalCache: false, // so that the folder is whole, and works where it is copied to
        enableTelemetry: false,
        enableScripts: false,
        enableImmutableInstalls: false,
        npmMinimalAgeGate: 0,
        npmRegistryServer: registry.stdout.trim(),
      };
      writeFileSync(join(folder, ".yarnrc.yml"), JSON.stringify(settings));
      writeFileSync(join(folder, "yarn.lock"), ""); // marks the root of the project
      await execute(program, ["install"], { folder, env: installerEnv(), limitMs });
    },
  };
}

const limitMs = 300_000;

function writeManifest(folder: string, manifest: object): void {
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
}

/** The part of the environment that may say how to reach a registry. */
export function installerEnv(): Record<string, string> {
  const names = Object.entries(process.env).filter(([name]) =>
    /^(npm_config_|yarn_|\w+_proxy$|node_extra_ca)/i.test(name),
  );
  return Object.fromEntries(names.map(([name, value = ""]) => [name, value]));
}
