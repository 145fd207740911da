import { status } from "@grpc/grpc-js";
import { checkOptions, type OptionRule, type OptionRules } from "@grpc-lb/core";

/** A duration in seconds, with up to nine decimals: `1s`, `0.25s`. */
export type Seconds = `${number}s`;

/** The name of a status that a call can fail with: `UNAVAILABLE`. */
export type FailureStatus = Exclude<keyof typeof status, "OK">;

/** Which calls a `MethodConfig` is for: one method, all of a service, or with `{}` all. The most specific one counts. */
export interface MethodName {
  /** With its package: `pod.v1.PodService`. */
  readonly service?: string | undefined;
  /** `GetPod`; needs `service`. */
  readonly method?: string | undefined;
}

/** How failed calls are made again (gRFC A6). A retry goes to an endpoint that has not failed the call, if there is one. */
export interface RetryPolicy {
  /** With the first one; 2 to 5. */
  readonly maxAttempts: number;
  /** The bound of the first pause, which is a random part of it. */
  readonly initialBackoff: Seconds;
  readonly maxBackoff: Seconds;
  /** By what the bound grows with each attempt; > 0. */
  readonly backoffMultiplier: number;
  /** The failures that are worth another attempt; at least one. */
  readonly retryableStatusCodes: readonly FailureStatus[];
}

/** How a call is sent again before the first attempt has failed (gRFC A6); for calls that may be executed twice. */
export interface HedgingPolicy {
  /** With the first one; 2 to 5. */
  readonly maxAttempts: number;
  /** The time between two attempts. Default: all at once. */
  readonly hedgingDelay?: Seconds | undefined;
  /** The failures after which the other attempts go on. Default: none, any failure ends the call. */
  readonly nonFatalStatusCodes?: readonly FailureStatus[] | undefined;
}

/** What holds for the calls of some methods. */
export interface MethodConfig {
  /** At least one. */
  readonly name: readonly MethodName[];
  /** How long a call may take at most, its retries included; > 0. A shorter deadline of the call counts. Default: no bound. */
  readonly timeout?: Seconds | undefined;
  /** Default: none. */
  readonly retryPolicy?: RetryPolicy | undefined;
  /** Instead of `retryPolicy`. Default: none. */
  readonly hedgingPolicy?: HedgingPolicy | undefined;
}

/** Stops retries while too many calls fail (gRFC A6): a failure takes a token, a success gives `tokenRatio` back. */
export interface RetryThrottling {
  /** Retries stop at half of them; > 0 and <= 1000. */
  readonly maxTokens: number;
  /** > 0 */
  readonly tokenRatio: number;
}

/** A value that grpc-js would ignore. */
const refuse =
  (instead: string): OptionRule =>
  () =>
    `must not be set, because grpc-js ignores it here: ${instead}`;

const methodRules: OptionRules = {
  name: "list",
  timeout: "string",
  retryPolicy: {
    options: {
      maxAttempts: "number",
      initialBackoff: "string",
      maxBackoff: "string",
      backoffMultiplier: "number",
      retryableStatusCodes: "strings",
    },
    required: ["maxAttempts", "initialBackoff", "maxBackoff", "backoffMultiplier", "retryableStatusCodes"],
  },
  hedgingPolicy: {
    options: { maxAttempts: "number", hedgingDelay: "string", nonFatalStatusCodes: "strings" },
    required: ["maxAttempts"],
  },
  waitForReady: refuse("give a call new Metadata({ waitForReady: true })"),
  maxRequestBytes: refuse("use the channel option grpc.max_send_message_length"),
  maxResponseBytes: refuse("use the channel option grpc.max_receive_message_length"),
};

/**
 * Checks the configs of methods.
 *
 * @param where they are, for errors: `createServiceConfig`
 * @returns them as grpc-js understands them: it reads a timeout of "0.25s" as 25 ns, and one of seconds and nanos rightly
 * @throws TypeError or RangeError that names the wrong field
 */
export function readMethodConfigs(where: string, methods: readonly MethodConfig[]): readonly object[] {
  const seen = new Set<string>();
  return methods.map((method, n) => {
    const path = `${where}: methodConfig[${n}]`;
    checkOptions(path, method, methodRules, ["name"]);
    readNames(path, method.name, seen);
    const { timeout, retryPolicy, hedgingPolicy, ...rest } = method;
    if (retryPolicy && hedgingPolicy) throw new RangeError(`${path}: give retryPolicy or hedgingPolicy, not both`);
    if (retryPolicy) checkRetryPolicy(`${path}: retryPolicy`, retryPolicy);
    if (hedgingPolicy) checkHedgingPolicy(`${path}: hedgingPolicy`, hedgingPolicy);
    return {
      ...rest,
      ...(retryPolicy && { retryPolicy }),
      ...(hedgingPolicy && { hedgingPolicy }),
      ...(timeout !== undefined && { timeout: readSeconds(`${path}: timeout`, timeout) }),
    };
  });
}

/** @throws RangeError that names the wrong field */
export function checkRetryThrottling(where: string, { maxTokens, tokenRatio }: RetryThrottling): void {
  if (!(maxTokens > 0 && maxTokens <= 1_000)) {
    throw new RangeError(`${where}: retryThrottling.maxTokens must be > 0 and <= 1000, got ${maxTokens}`);
  }
  if (!(tokenRatio > 0)) throw new RangeError(`${where}: retryThrottling.tokenRatio must be > 0, got ${tokenRatio}`);
}

function readNames(path: string, names: readonly MethodName[], seen: Set<string>): void {
  if (names.length === 0) throw new RangeError(`${path}: name must have at least one entry; [{}] is for all methods`);
  for (const name of names) {
    checkOptions(`${path}: name`, name, { service: "string", method: "string" });
    const { service = "", method = "" } = name;
    if (service === "" && method !== "") throw new RangeError(`${path}: a method needs its service, got ${method}`);
    if (/[/\s]/.test(service + method)) {
      throw new RangeError(`${path}: a name must be as {"service": "pod.v1.PodService", "method": "GetPod"}`);
    }
    const key = `${service}/${method}`;
    if (seen.has(key)) throw new RangeError(`${path}: each name must be there once, got ${key} twice`);
    seen.add(key);
  }
}

function checkRetryPolicy(path: string, policy: RetryPolicy): void {
  checkAttempts(path, policy.maxAttempts);
  readSeconds(`${path}.initialBackoff`, policy.initialBackoff);
  readSeconds(`${path}.maxBackoff`, policy.maxBackoff);
  const { backoffMultiplier, retryableStatusCodes } = policy;
  if (!(backoffMultiplier > 0)) throw new RangeError(`${path}.backoffMultiplier must be > 0, got ${backoffMultiplier}`);
  if (retryableStatusCodes.length === 0)
    throw new RangeError(`${path}.retryableStatusCodes must have at least one entry`);
  checkStatusCodes(`${path}.retryableStatusCodes`, retryableStatusCodes);
}

function checkHedgingPolicy(
  path: string,
  { maxAttempts, hedgingDelay, nonFatalStatusCodes = [] }: HedgingPolicy,
): void {
  checkAttempts(path, maxAttempts);
  if (hedgingDelay !== undefined) readSeconds(`${path}.hedgingDelay`, hedgingDelay, 0);
  checkStatusCodes(`${path}.nonFatalStatusCodes`, nonFatalStatusCodes);
}

function checkAttempts(path: string, maxAttempts: number): void {
  // gRFC A6: "must be an integer greater than 1"; "values greater than 5 are treated as 5".
  if (Number.isInteger(maxAttempts) && maxAttempts >= 2 && maxAttempts <= 5) return;
  throw new RangeError(`${path}.maxAttempts must be an integer from 2 to 5, got ${maxAttempts}`);
}

function checkStatusCodes(path: string, codes: readonly string[]): void {
  const names = Object.keys(status).filter((name) => Number.isNaN(Number(name)) && name !== "OK");
  const wrong = codes.find((code) => !names.includes(code));
  if (wrong !== undefined) throw new RangeError(`${path} must be of ${names.join(", ")}, got "${wrong}"`);
}

/** A google.protobuf.Duration in JSON. @param least in nanoseconds */
function readSeconds(path: string, text: string, least = 1): { readonly seconds: number; readonly nanos: number } {
  const [, whole, decimals = ""] = /^(\d{1,9})(?:\.(\d{1,9}))?s$/.exec(text) ?? [];
  const seconds = Number(whole);
  const nanos = Number(decimals.padEnd(9, "0"));
  if (whole !== undefined && seconds * 1e9 + nanos >= least) return { seconds, nanos };
  throw new RangeError(
    `${path} must be a duration in seconds such as 1s or 0.25s${least > 0 ? ", > 0" : ""}, got "${text}"`,
  );
}
