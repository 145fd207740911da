import type { status } from "@grpc/grpc-js";
import { checkOptions, type OptionRules } from "@grpc-lb/core";

/** The statuses after which another attempt may go well. */
export type RetryableStatus = Extract<
  keyof typeof status,
  "UNAVAILABLE" | "RESOURCE_EXHAUSTED" | "ABORTED" | "INTERNAL" | "UNKNOWN" | "UNAUTHENTICATED"
>;

/** How failed calls are made again. */
export interface RetryOptions {
  /**
   * The methods that may be executed twice: `pod.v1.PodService/GetPod`, or `pod.v1.PodService` for all of a service. A server may have
   * executed a call before its connection was lost. `retryableMethods` lists them.
   */
  readonly methods: readonly string[];
  /** With the first one; 2 to 5, as in gRFC A6. Default: 3. */
  readonly maxAttempts?: number | undefined;
  /** The bound of the first pause, which is a random part of it, in milliseconds. Default: 50. */
  readonly initialBackoffMs?: number | undefined;
  /** The bound of each pause, in milliseconds. Default: 1 s. */
  readonly maxBackoffMs?: number | undefined;
  /** By what the bound grows with each attempt; >= 1. Default: 2. */
  readonly backoffMultiplier?: number | undefined;
  /**
   * After which statuses. Default: UNAVAILABLE. Those that every attempt would get are refused, and so is DEADLINE_EXCEEDED: the deadline
   * includes all attempts.
   */
  readonly codes?: readonly RetryableStatus[] | undefined;
  /** How many failures stop all retries of the channel: half of it; 1 to 1000. Default: 10. */
  readonly maxTokens?: number | undefined;
  /** What a success gives back of a failure; > 0. Default: 0.1, so that retries are at most a tenth of the calls when many fail. */
  readonly tokenRatio?: number | undefined;
}

/** A part of a service config: its retries. `createServiceConfig` of `@grpc-lb/policies` takes it as it is. */
export interface Retries {
  readonly methodConfig: readonly [
    {
      readonly name: readonly { readonly service: string; readonly method?: string }[];
      readonly retryPolicy: {
        readonly maxAttempts: number;
        readonly initialBackoff: `${number}s`;
        readonly maxBackoff: `${number}s`;
        readonly backoffMultiplier: number;
        readonly retryableStatusCodes: readonly RetryableStatus[];
      };
    },
  ];
  readonly retryThrottling: { readonly maxTokens: number; readonly tokenRatio: number };
}

const codes: readonly string[] = [
  ...["UNAVAILABLE", "RESOURCE_EXHAUSTED", "ABORTED", "INTERNAL", "UNKNOWN", "UNAUTHENTICATED"],
];

const bounds = {
  maxAttempts: [2, 5],
  initialBackoffMs: [1, Number.POSITIVE_INFINITY],
  maxBackoffMs: [1, Number.POSITIVE_INFINITY],
  backoffMultiplier: [1, Number.POSITIVE_INFINITY],
  maxTokens: [1, 1_000],
  tokenRatio: [0.001, 1_000],
} as const;

const rules: OptionRules = {
  methods: "strings",
  codes: "strings",
  ...Object.fromEntries(Object.keys(bounds).map((name) => [name, "number" as const])),
};

function checkBounds(where: string, options: RetryOptions): void {
  for (const [name, [least, most]] of Object.entries(bounds)) {
    const value = options[name as keyof typeof bounds];
    const isInteger = name === "maxAttempts";
    if (value === undefined) continue;
    if (value >= least && value <= most && Number.isFinite(value) && (!isInteger || Number.isInteger(value))) continue;
    const range = most === Number.POSITIVE_INFINITY ? `>= ${least}` : `from ${least} to ${most}`;
    throw new RangeError(`${where}: ${name} must be ${isInteger ? "an integer" : "a number"} ${range}, got ${value}`);
  }
}

/**
 * Makes the retries of a service config, with defaults that do not make an outage worse, and checks them; grpc-js ignores a wrong service
 * config.
 *
 * ```ts
 * const retries = createRetries({ methods: ["pod.v1.PodService/GetPod"] });
 * const config = createServiceConfig({ least_request: {} }, retries); // of @grpc-lb/policies; or JSON.stringify(retries)
 * ```
 *
 * @throws TypeError or RangeError that names the wrong option
 */
export function createRetries(options: RetryOptions): Retries {
  const where = "createRetries";
  checkOptions(where, options, rules, ["methods"]);
  checkBounds(where, options);
  const { methods, maxAttempts = 3, initialBackoffMs = 50, maxBackoffMs = Math.max(1_000, initialBackoffMs) } = options;
  const { backoffMultiplier = 2, codes: chosen = ["UNAVAILABLE"], maxTokens = 10, tokenRatio = 0.1 } = options;
  if (maxBackoffMs < initialBackoffMs) {
    throw new RangeError(
      `${where}: maxBackoffMs must be >= initialBackoffMs, got ${maxBackoffMs} and ${initialBackoffMs}`,
    );
  }
  if (methods.length === 0) throw new RangeError(`${where}: methods must have at least one entry`);
  if (chosen.length === 0) throw new RangeError(`${where}: codes must have at least one entry`);
  const wrong = chosen.find((code) => !codes.includes(code));
  if (wrong !== undefined) {
    throw new RangeError(
      `${where}: codes must be of ${codes.join(", ")}, got "${wrong}": another attempt would not help`,
    );
  }
  const retryPolicy = {
    maxAttempts,
    initialBackoff: toSeconds(initialBackoffMs),
    maxBackoff: toSeconds(maxBackoffMs),
    backoffMultiplier,
    retryableStatusCodes: [...chosen],
  };
  return {
    methodConfig: [{ name: methods.map((method) => readName(where, method)), retryPolicy }],
    retryThrottling: { maxTokens, tokenRatio },
  };
}

function readName(where: string, text: string): { readonly service: string; readonly method?: string } {
  const [, service, method] = /^\/?([\w.]+)(?:\/(\w+))?$/.exec(text) ?? [];
  if (service === undefined) {
    throw new RangeError(
      `${where}: methods must be such as pod.v1.PodService/GetPod or pod.v1.PodService, got "${text}"`,
    );
  }
  return method === undefined ? { service } : { service, method };
}

/** With decimals, never with an exponent. */
const toSeconds = (ms: number): `${number}s` => `${(ms / 1_000).toFixed(6)}s` as `${number}s`;
