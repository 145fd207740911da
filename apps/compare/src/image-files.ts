/**
 * Writes what the image contains besides the program: `node image-files.ts <folder>` writes the bundled page to `<folder>/page`,
 * and the files that it is made of to stdout, for the licence notices.
 */
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildPage } from "./build-page.ts";

const source = join(import.meta.dirname, "../page");
const target = join(process.argv[2] ?? "", "page");
mkdirSync(target, { recursive: true });
for (const name of ["index.html", "icon.svg"]) copyFileSync(join(source, name), join(target, name));
const files = await buildPage((inputs) => process.stdout.write(`${inputs.join("\n")}\n`));
for (const [name, body] of files) writeFileSync(join(target, name), body);
