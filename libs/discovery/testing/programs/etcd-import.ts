import { registerHooks } from "node:module";

/** A program for `import.test.ts`: says what loads grpc-js. */
let isLoaded = false;
registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    if (resolved.url.includes("/@grpc/grpc-js/")) isLoaded = true;
    return resolved;
  },
});
const tell = (what: string) => process.stdout.write(`${what}: ${isLoaded ? "yes" : "no"}\n`);
const { parseTarget } = await import("../../src/index.ts");
parseTarget("etcd://h/server");
tell("discovery");
await import("../../src/register.ts");
tell("registration");
await import("../../src/etcd/index.ts");
tell("etcd");
