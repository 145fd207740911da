import { registerHooks } from "node:module";
import { Channel, credentials } from "@grpc/grpc-js";

/** A program for `real-sources.test.ts`: prints which sources the registration loads, and which a channel of one scheme. */
const loaded = new Set<string>();
registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    const [, source] =
      /\/discovery\/src\/(kubernetes|etcd|consul|dns|static|file)\/source\.ts/.exec(resolved.url) ?? [];
    const [, name] = /\/node_modules\/(yaml|@kubernetes\/client-node)\//.exec(resolved.url) ?? [];
    for (const found of [source, name]) if (found) loaded.add(found);
    return resolved;
  },
});
const { until } = await import("@grpc-lb/core/testing");
const { registerResolvers } = await import("../../src/index.ts");
const resolvers = registerResolvers({ warn: () => {} });
process.stdout.write(`by the registration: ${[...loaded]}\n`);
const channel = new Channel("static:///127.0.0.1:1", credentials.createInsecure(), {});
channel.getConnectivityState(true);
await until(() => resolvers.stats()[0]?.endpoints === 1, "one endpoint");
channel.close();
process.stdout.write(`by a channel: ${[...loaded]}\n`);
