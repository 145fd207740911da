import { checkBootstrap } from "./check-bootstrap.ts";

/** The members of two CommonJS modules that are used here. */
interface ResolverModule {
  readonly default: { CHANNEL_ARGS_CONFIG_SELECTOR_KEY: string };
}
interface XdsModule {
  readonly default: { register(): void };
}

let registered: Promise<void> | undefined;

/**
 * Loads @grpc/grpc-js-xds, which costs about 0.3 s and 90 MB, and registers its resolver for `xds:` targets in grpc-js; to be called
 * before the first channel of such a target. Further calls do nothing.
 *
 * grpc-js-xds 1.14 hands over a new config selector with each update, in an attribute that grpc-js takes for an argument of the
 * connections: each update would connect to every endpoint again. Under another key, which connections do not see, it does not.
 *
 * @throws RangeError for a bootstrap in the environment that grpc-js-xds cannot use: it names the variable and the field
 */
export async function registerProxyless(): Promise<void> {
  checkBootstrap(process.env);
  registered ??= register();
  await registered;
}

async function register(): Promise<void> {
  const resolver = (await import("@grpc/grpc-js/build/src/resolver.js")) as unknown as ResolverModule;
  resolver.default.CHANNEL_ARGS_CONFIG_SELECTOR_KEY = "grpc.internal.no_subchannel.config_selector";
  const xds = (await import("@grpc/grpc-js-xds")) as unknown as XdsModule;
  xds.default.register();
}
