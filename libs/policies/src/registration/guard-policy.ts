import { describeType, messageOf } from "@grpc-lb/core";
import { Child } from "../balancer/child.ts";
import type { CommonConfig, PickChild, Policy, PolicyInstance } from "../balancer/policy.ts";
import { warnOf } from "./warning.ts";

const requiredHooks = ["createEndpointState", "createPicker"] as const;
const optionalHooks = ["refreshMs", "longCallAfterMs", "onCallEnded", "onConnected", "onDisconnected"] as const;

/**
 * Contains the mistakes of a policy of others. grpc-js calls a policy from its own callbacks, where an exception would end the process or
 * leave calls without an answer. So calls fail with the mistake of what makes and runs a picker; that of any other hook is a warning,
 * once for each hook.
 */
export function guardPolicy<Config extends CommonConfig, EndpointState>(
  policy: Policy<Config, EndpointState>,
): Policy<Config, EndpointState> {
  const warned = new Set<string>();
  const warn = (hook: string, cause: unknown) => {
    if (warned.has(hook)) return;
    warned.add(hook);
    warnOf(`policy ${policy.name}: ${hook}: ${messageOf(cause)}`);
  };
  return {
    name: policy.name,
    parseConfig(fields) {
      const config: unknown = policy.parseConfig(fields);
      if (typeof config !== "object" || config === null) throw mistakeOf("parseConfig", "an object", config);
      return config as Config;
    },
    createInstance(context) {
      try {
        const instance = policy.createInstance(context);
        requireHooks(instance);
        return guardInstance(instance, warn);
      } catch (cause) {
        return { createEndpointState: () => undefined as EndpointState, createPicker: () => failWith("", cause) };
      }
    },
  };
}

/** @throws TypeError unless it is an instance of a policy */
function requireHooks(instance: unknown): void {
  if (typeof instance !== "object" || instance === null) throw mistakeOf("createInstance", "an object", instance);
  const hooks = instance as Readonly<Record<string, unknown>>;
  for (const hook of [...requiredHooks, ...optionalHooks.filter((name) => hooks[name] !== undefined)]) {
    if (typeof hooks[hook] === "function") continue;
    throw new TypeError(`${hook} of createInstance's object must be a function, got ${describeType(hooks[hook])}`);
  }
}

function guardInstance<Config, EndpointState>(
  instance: PolicyInstance<Config, EndpointState>,
  warn: (hook: string, cause: unknown) => void,
): PolicyInstance<Config, EndpointState> {
  let failure: PickChild<EndpointState> | undefined;
  const guarded: PolicyInstance<Config, EndpointState> = {
    countsCalls: instance.countsCalls === true,
    createEndpointState() {
      try {
        return instance.createEndpointState();
      } catch (cause) {
        failure = failWith("createEndpointState: ", cause);
        return undefined as EndpointState;
      }
    },
    createPicker(input) {
      if (failure) return failure;
      let pickChild: unknown;
      try {
        pickChild = instance.createPicker(input);
      } catch (cause) {
        return failWith("createPicker: ", cause);
      }
      if (typeof pickChild === "function") return checkPicks(pickChild as PickChild<EndpointState>);
      return failWith("", mistakeOf("createPicker", "a function", pickChild));
    },
  };
  // Those that are absent stay so: the balancer measures calls only for a policy with `onCallEnded`.
  for (const hook of optionalHooks) {
    const run = instance[hook] as ((...args: unknown[]) => unknown) | undefined;
    if (run) Object.assign(guarded, { [hook]: contain(run.bind(instance), (cause) => warn(hook, cause)) });
  }
  return guarded;
}

function contain<Args extends unknown[]>(run: (...args: Args) => unknown, onMistake: (cause: unknown) => void) {
  return (...args: Args) => {
    try {
      return run(...args);
    } catch (cause) {
      onMistake(cause);
      return undefined;
    }
  };
}

function checkPicks<EndpointState>(pickChild: PickChild<EndpointState>): PickChild<EndpointState> {
  return (args, avoided) => {
    const child: unknown = pickChild(args, avoided);
    if (child instanceof Child) return child;
    throw mistakeOf("the picker", "one of the endpoints in ready", child);
  };
}

/** A picker whose calls fail: the balancer fails them with what it throws. */
function failWith(prefix: string, cause: unknown): () => never {
  const error = new Error(`${prefix}${messageOf(cause)}`, { cause });
  return () => {
    throw error;
  };
}

const mistakeOf = (what: string, must: string, got: unknown): TypeError =>
  new TypeError(`${what} must return ${must}, got ${describeType(got)}`);
