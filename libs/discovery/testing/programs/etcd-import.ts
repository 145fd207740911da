import { registerHooks } from "node:module";

/** A program for `import.test.ts`: prints which import loads grpc-js. */
let isLoaded = false;
registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    if (resolved.url.includes("/@grpc/grpc-js/")) isLoaded = true;
    return resolved;
  },
});
const print = (what: string) => process.stdout.write(`${what}: ${isLoaded ? "yes" : "no"}\n`);
const { parseTarget } = await import("../../src/index.ts");
parseTarget("etcd://h/server");
print("discovery");
await import("../../src/register.ts");
print("registration");
await import("../../src/etcd/index.ts");
print("etcd");
