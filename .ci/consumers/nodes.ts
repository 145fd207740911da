import { join } from "node:path";
import { execute } from "./execute.ts";
import { install } from "./project.ts";

/** A version of Node that the packages are tested on. */
export interface NodeVersion {
  readonly name: string;
  readonly program: string;
}

/** The oldest version that the packages support, this process's own (24), and the newest one of the npm package `node`. */
export async function nodeVersions(): Promise<readonly NodeVersion[]> {
  const folder = await install({ name: "nodes", packages: [], others: ["node-22", "node-26"] });
  const paths = [
    join(folder, "node_modules/node-22/bin/node"),
    process.execPath,
    join(folder, "node_modules/node-26/bin/node"),
  ];
  return Promise.all(
    paths.map(async (program) => {
      const { stdout } = await execute(program, ["--version"], { folder });
      return { name: `Node ${stdout.trim().slice(1)}`, program };
    }),
  );
}
