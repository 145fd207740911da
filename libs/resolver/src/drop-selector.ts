import { Metadata, type StatusObject, status } from "@grpc/grpc-js";
import type { Random } from "@grpc-lb/core";
import type { Drop } from "@grpc-lb/discovery";
import type { ConfigSelector, Filter, ServiceConfig } from "./grpc-js.ts";

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
      const drop = drops.find(({ fraction }) => random() < fraction);
      return {
        methodConfig,
        pickInformation: {},
        status: status.OK,
        dynamicFilterFactories: drop ? [{ createFilter: () => dropFilter(drop) }] : [],
      };
    },
    unref() {},
  };
}

/** Fails a call before it is sent. By a status of the selector it would fail with "Failed to route call to method …". */
function dropFilter({ category }: Drop): Filter {
  const details = `the control plane drops a part of the calls: ${category || "no category"}`;
  const dropped: StatusObject = { code: status.UNAVAILABLE, details, metadata: new Metadata() };
  return {
    sendMetadata: () => Promise.reject(dropped),
    receiveMetadata: (metadata) => metadata,
    sendMessage: (message) => message,
    receiveMessage: (message) => message,
    receiveTrailers: (trailers) => trailers,
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
