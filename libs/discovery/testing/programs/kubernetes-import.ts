import { registerHooks } from "node:module";

/** A program for `import.test.ts`: says whether yaml is loaded by importing this library, and by reading a kubeconfig. */
let isLoaded = false;
registerHooks({
  resolve(specifier, context, next) {
    if (specifier === "yaml") isLoaded = true;
    return next(specifier, context);
  },
});
const { createKubeconfigAccess } = await import("../../src/kubernetes/index.ts");
process.stdout.write(`the import loads yaml: ${isLoaded ? "yes" : "no"}\n`);
await createKubeconfigAccess("/dev/null").catch(() => undefined); // it has no context
process.stdout.write(`a kubeconfig loads yaml: ${isLoaded ? "yes" : "no"}\n`);
