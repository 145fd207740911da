import { join } from "node:path";
import { createPnpm, createYarn, type Installer } from "./installers.ts";
import { install } from "./project.ts";

/** pnpm and Yarn, in the versions of the table. */
export async function packageManagers(): Promise<{
  readonly pnpm: Installer;
  readonly yarn: Installer;
  /** Yarn's program, which runs programs of a project without node_modules: `yarn node main.mjs`. */
  readonly yarnProgram: string;
}> {
  const folder = await install({ name: "package-managers", packages: [], others: ["pnpm", "@yarnpkg/cli-dist"] });
  const yarnProgram = join(folder, "node_modules/.bin/yarn");
  return { pnpm: createPnpm(join(folder, "node_modules/.bin/pnpm")), yarn: createYarn(yarnProgram), yarnProgram };
}
