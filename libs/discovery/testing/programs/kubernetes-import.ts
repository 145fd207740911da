import { registerHooks } from "node:module";

/** A program for `import.test.ts`: says whether client-node is loaded by importing this library, and by reading a kubeconfig. */
let isLoaded = false;
registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    if (resolved.url.includes("/@kubernetes/client-node/")) isLoaded = true;
    return resolved;
  },
});
const { createKubeconfigAccess } = await import("../../src/kubernetes/index.ts");
process.stdout.write(`loaded by the import: ${isLoaded ? "yes" : "no"}\n`);
await createKubeconfigAccess("/does/not/exist").catch(() => undefined); // that it fails is of no interest here
process.stdout.write(`loaded by a kubeconfig: ${isLoaded ? "yes" : "no"}\n`);
