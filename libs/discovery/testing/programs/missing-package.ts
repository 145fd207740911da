import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * A program for `optional-package.test.ts`: prints the error of a use of a package that is not installed. The arguments are the use
 * and the package.
 */
const [use = "", missing = ""] = process.argv.slice(2);
registerHooks({
  resolve(specifier, context, next) {
    if (specifier !== missing && !specifier.startsWith(`${missing}/`)) return next(specifier, context);
    const message = `Cannot find package '${missing}' imported from ${context.parentURL}`;
    throw Object.assign(new Error(message), { code: "ERR_MODULE_NOT_FOUND" });
  },
});
const { createSource } = await import("../../src/index.ts");
const { register } = await import("../../src/register.ts");
const folder = mkdtempSync(join(tmpdir(), "missing-package-"));

/** Writes a file. @returns its path */
function fileOf(text: string): string {
  const path = join(folder, "file");
  writeFileSync(path, text);
  return path;
}

/** The first error of a target. */
async function errorOf(target: string): Promise<string | undefined> {
  for await (const { error } of createSource(target).watch()) if (error) return `${error.code} ${error.message}`;
  return undefined;
}

const uses: Readonly<Record<string, () => Promise<string | undefined>>> = {
  "a file of YAML": () => errorOf(`file://${fileOf("- address: 10.0.0.1:80\n")}`),
  "a file of broken JSON": () => errorOf(`file://${fileOf('[{"address": "10.0.0.1:80"')}`),
  "a kubeconfig": () => {
    process.env.KUBECONFIG = fileOf("current-context: c\n");
    return errorOf("kubernetes:///server");
  },
  "an etcd target": () => errorOf("etcd://127.0.0.1:1/web"),
  "a registration in etcd": () =>
    register("etcd://127.0.0.1:1/web", { address: { host: "10.0.0.1", port: 80 } }).then(
      () => undefined,
      (error: Error) => error.message,
    ),
};
try {
  process.stdout.write(`${(await uses[use]?.()) ?? "no error"}\n`);
} finally {
  rmSync(folder, { recursive: true });
}
