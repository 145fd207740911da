import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * A program for `import.test.ts`: prints which packages are loaded by the import of the library, by a kubeconfig, by a valid OIDC
 * token, and by the refresh of an expired one, at an issuer that is not reached. With the argument `missing`, client-node is not
 * installed.
 */
const isMissing = process.argv[2] === "missing";
const loaded = new Set<string>();
registerHooks({
  resolve(specifier, context, next) {
    const [name] = /^(yaml|openid-client|@kubernetes\/client-node)(?=$|\/)/.exec(specifier) ?? [];
    if (isMissing && name === "@kubernetes/client-node") {
      const message = `Cannot find package '${name}' imported from ${context.parentURL}`;
      throw Object.assign(new Error(message), { code: "ERR_MODULE_NOT_FOUND" });
    }
    if (name !== undefined) loaded.add(name);
    return next(specifier, context);
  },
});
const print = (what: string) => process.stdout.write(`${what}: ${[...loaded].sort()}\n`);

const { createKubeconfigAccess } = await import("../../src/kubernetes/index.ts");
print("the import");
const folder = mkdtempSync(join(tmpdir(), "kubernetes-import-"));
const readCredentials = async (exp: number) => {
  const config = {
    "client-id": "id",
    "id-token": `x.${Buffer.from(JSON.stringify({ exp })).toString("base64url")}.y`,
    "refresh-token": "r",
    "idp-issuer-url": "https://127.0.0.1:1",
  };
  const path = join(folder, "kubeconfig");
  const text = {
    "current-context": "c",
    clusters: [{ name: "c", cluster: { server: "https://127.0.0.1:1" } }],
    users: [{ name: "u", user: { "auth-provider": { name: "oidc", config } } }],
    contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
  };
  writeFileSync(path, JSON.stringify(text));
  return (await createKubeconfigAccess(path)).credentials(false);
};
try {
  await readCredentials(99_999_999_999);
  print("a valid token");
  await readCredentials(0);
} catch (error) {
  print("an expired token");
  process.stdout.write(`${error instanceof Error ? error.message : error}\n`);
} finally {
  rmSync(folder, { recursive: true });
}
