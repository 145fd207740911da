type JsonObject = Readonly<Record<string, unknown>>;

const knownFields = ["loadBalancingConfig", "loadBalancingPolicy", "methodConfig", "retryThrottling"] as const;
/** The other spelling of `loadBalancingConfig` in protobuf's JSON: grpc-js does not read it, policies and resolver do. */
const otherSpelling = "load_balancing_config";
/** The fields of an entry of `methodConfig` that grpc-js obeys. */
export const knownMethodFields = ["name", "timeout", "retryPolicy", "hedgingPolicy"] as const;

/** What grpc-js 1.14 parses, or leaves out, and does not report: https://github.com/grpc/grpc/blob/master/doc/service_config.md. */
const unsupported: JsonObject = {
  healthCheckConfig: "grpc-js has no client-side health checking",
  waitForReady: "grpc-js takes waitForReady from the Metadata options of a call alone",
  maxRequestBytes: "grpc-js takes grpc.max_send_message_length of the channel",
  maxResponseBytes: "grpc-js takes grpc.max_receive_message_length of the channel",
};

/**
 * Describes the fields of a gRPC service config that grpc-js accepts and ignores, each in one sentence.
 *
 * @param isPolicyName whether a load balancing policy of that name is registered
 */
export function describeIgnoredFields(
  config: Readonly<Record<string, unknown>>,
  isPolicyName: (name: string) => boolean,
): readonly string[] {
  const { methodConfig = [] } = config;
  const isList = Array.isArray(methodConfig);
  const methods = (isList ? methodConfig : []).filter((method) => typeof method === "object" && method !== null);
  const ignored = [
    ...describeUnknown("", config, [...knownFields, otherSpelling], isPolicyName),
    ...(isList ? [] : ["methodConfig is ignored: it must be a list"]),
    ...methods.flatMap((method) => describeUnknown("methodConfig.", method, knownMethodFields, () => false)),
  ];
  return [...new Set(ignored)];
}

function describeUnknown(
  path: string,
  json: JsonObject,
  known: readonly string[],
  isPolicyName: (name: string) => boolean,
): string[] {
  const fields = known.filter((name) => name !== otherSpelling).map((name) => path + name);
  return Object.keys(json)
    .filter((name) => !known.includes(name))
    .map((name) => {
      if (Object.hasOwn(unsupported, name)) return `${path}${name} is ignored: ${unsupported[name]}`;
      if (isPolicyName(name)) {
        return `${name} is ignored: a policy stands in loadBalancingConfig: {"loadBalancingConfig":[{"${name}":{}}]}`;
      }
      return `${path}${name} is ignored: unknown field; known fields: ${fields.join(", ")}`;
    });
}
