import { registerHooks } from "node:module";
import { Channel, credentials } from "@grpc/grpc-js";

/** A program for `resolvers.test.ts`: says which sources are loaded by the registration, and by a channel of one scheme. */
const loaded = new Set<string>();
registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    const [, source] = /\/discovery\/src\/(etcd|consul|dns|static|file)\/source\.ts/.exec(resolved.url) ?? [];
    const [, name] = /\/node_modules\/(yaml|@kubernetes\/client-node)\//.exec(resolved.url) ?? [];
    for (const found of [source, name]) if (found) loaded.add(found);
    return resolved;
  },
});
const { registerResolvers } = await import("../../src/index.ts");
const resolvers = registerResolvers({ warn: () => {} });
process.stdout.write(`by the registration: ${[...loaded]}\n`);
const channel = new Channel("static:///127.0.0.1:1", credentials.createInsecure(), {});
channel.getConnectivityState(true);
while (resolvers.stats()[0]?.endpoints !== 1) await new Promise((resolve) => setImmediate(resolve));
channel.close();
process.stdout.write(`by a channel: ${[...loaded]}\n`);
