/** Packs the packages and installs what several test files share, before the files run two at a time. */
import { nodeVersions } from "./nodes.ts";
import { packageManagers } from "./package-managers.ts";
import { pack, packageNames } from "./packages.ts";

await Promise.all(packageNames.map(pack));
await nodeVersions();
await packageManagers();
