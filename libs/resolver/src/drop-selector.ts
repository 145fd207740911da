import { status } from "@grpc/grpc-js";
import type { Random } from "@grpc-lb/core";
import type { Drop } from "@grpc-lb/discovery";
import type { ConfigSelector, ServiceConfig } from "./grpc-js.ts";

type MethodConfig = NonNullable<ServiceConfig["methodConfig"]>[number];
/** The most methods whose config is kept. */
const maxMethods = 100;

/**
 * Drops a part of the calls, as a control plane of xDS wants it to protect its servers: they fail with UNAVAILABLE before a
 * connection is picked, and are not retried. The other calls have the config of their method, as grpc-js chooses it.
 */
export function createDropSelector(drops: readonly Drop[], config: ServiceConfig, random: Random): ConfigSelector {
  const byMethod = new Map<string, MethodConfig>();
  return {
    invoke(path) {
      const methodConfig = byMethod.get(path) ?? findMethodConfig(config, path);
      if (byMethod.size < maxMethods) byMethod.set(path, methodConfig);
      const isDropped = drops.some(({ fraction }) => random() < fraction);
      return {
        methodConfig,
        pickInformation: {},
        status: isDropped ? status.UNAVAILABLE : status.OK,
        dynamicFilterFactories: [],
      };
    },
    unref() {},
  };
}

/** The config whose name is the most specific one (https://github.com/grpc/grpc/blob/master/doc/service_config.md). */
function findMethodConfig({ methodConfig = [] }: ServiceConfig, path: string): MethodConfig {
  const [, service = "", method = ""] = path.split("/");
  const find = (wanted: (name: { service?: string; method?: string }) => boolean) =>
    methodConfig.find(({ name }) => name.some(wanted));
  return (
    find((name) => name.service === service && name.method === method) ??
    find((name) => name.service === service && !name.method) ??
    find((name) => !name.service && !name.method) ?? { name: [] }
  );
}
