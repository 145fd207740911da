import { describeType, nearestWord } from "@grpc-lb/core";
import { createSource, type Source, type SourceOptions } from "@grpc-lb/discovery";
import { type Agent, Client, Pool } from "undici";

/** Options of the source of a target, as `registerResolvers` takes them; the others are those of undici's Agent. */
export interface BalancedDispatcherOptions
  extends Agent.Options,
    Pick<SourceOptions, "kubernetes" | "etcd" | "consul" | "xds"> {}

/** What a `BalancedDispatcher` is made of. */
export interface DispatcherParts {
  readonly source: Source;
  /** As the user wrote it; undefined for a source that was not made of a target. */
  readonly target: string | undefined;
  readonly agentOptions: Agent.Options;
}

const sourceOptions = ["kubernetes", "etcd", "consul", "xds"] as const;

/** Those of undici 8.12. A later one may have more. */
const agentOptions: readonly string[] = [
  ...["allowH2", "autoSelectFamily", "autoSelectFamilyAttemptTimeout", "bodyTimeout", "clientTtl", "connect"],
  ...["connections", "connectTimeout", "connectionWindowSize", "factory", "headersTimeout", "initialWindowSize"],
  ...["interceptors", "keepAliveMaxTimeout", "keepAliveTimeout", "keepAliveTimeoutThreshold", "localAddress"],
  ...["maxCachedSessions", "maxConcurrentStreams", "maxHeaderSize", "maxOrigins", "maxRequestsPerClient"],
  ...["maxResponseSize", "pingInterval", "pipelining", "socketPath", "strictContentLength", "useH2c", "webSocket"],
];

/**
 * Reads the arguments of a `BalancedDispatcher`, which JavaScript may pass as it likes.
 *
 * @throws TypeError for a source that is neither a target nor a source, and for options that are misspelt; RangeError for a
 *   target that is not valid; undici's own error for a value that it does not take
 */
export function readArguments(source: unknown, options: unknown): DispatcherParts {
  if (typeof source !== "string" && !isSource(source)) {
    throw new TypeError(
      'BalancedDispatcher needs a source or a target, such as new BalancedDispatcher("kubernetes:///server.default:http") or ' +
        `new BalancedDispatcher(createSource(target, options)) with createSource of @grpc-lb/discovery; got ${describeType(source)}`,
    );
  }
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new TypeError(`BalancedDispatcher: the options must be an object, got ${describeType(options)}`);
  }
  const { kubernetes, etcd, consul, xds, ...rest } = options as BalancedDispatcherOptions;
  requireKnownNames(Object.keys(rest));
  for (const Dispatcher of [Pool, Client]) void new Dispatcher("http://localhost", rest).destroy(); // undici itself checks them late
  if (typeof source === "string") {
    return { source: createSource(source, { kubernetes, etcd, consul, xds }), target: source, agentOptions: rest };
  }
  const given = sourceOptions.find((name) => (options as BalancedDispatcherOptions)[name] !== undefined);
  if (given !== undefined) {
    throw new TypeError(
      `BalancedDispatcher: ${given} is an option of a target; pass it to the function that made the source`,
    );
  }
  return { source, target: source.target, agentOptions: rest };
}

function isSource(value: unknown): value is Source {
  const { subscribe } = (value ?? {}) as Partial<Source>;
  return typeof subscribe === "function";
}

/** Refuses a name that is nearly one of undici's. Any other may be of a later undici. */
function requireKnownNames(names: readonly string[]): void {
  const known = [...sourceOptions, ...agentOptions];
  for (const name of names) {
    if (known.includes(name)) continue;
    const meant = nearestWord(name, known);
    if (meant !== undefined) {
      throw new TypeError(`BalancedDispatcher: unknown option ${name}; is it ${meant}?`);
    }
  }
}
