import { join } from "node:path";

/** The folder of the repository. */
export const root = join(import.meta.dirname, "../..");
/** The programs that run in the projects of the consumers. */
export const programs = join(import.meta.dirname, "programs");
/** What is packed and installed stays here between runs. */
export const cache = join(root, "node_modules/.cache/consumers");
/** For the environment of a compiler, which then starts faster. */
export const compileCache = { NODE_COMPILE_CACHE: join(root, "node_modules/.cache/node") };
