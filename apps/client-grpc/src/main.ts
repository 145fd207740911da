import { type Flag, ProgramError, runClient, textFlag } from "@grpc-lb/runtime/process";
import { openPodCaller } from "./get-pod.ts";
import { needsNoConfig, registeredPolicies, validatePolicy } from "./policy.ts";
import { parseServiceConfig } from "./service-config.ts";

const policyFlag: Flag<string> = {
  metavar: "name",
  help: `load balancing policy: ${registeredPolicies().filter(needsNoConfig).join(", ")}`,
  default: "",
  defaultText: "pick_first",
  parse(text) {
    validatePolicy(text, {});
    return text;
  },
};

const serviceConfigFlag: Flag<Record<string, unknown>> = {
  metavar: "json",
  help: "gRPC service config",
  default: {},
  defaultText: "none",
  parse: parseServiceConfig,
};

const flags = {
  target: textFlag({
    metavar: "target",
    help: "what to call, any target that grpc-js takes",
    default: "localhost:30051",
  }),
  policy: policyFlag,
  serviceConfig: serviceConfigFlag,
};

const summary = "Asks a server for its pod name over gRPC, on one channel for all calls.";

/** The service config that the flags make together; undefined when the user chose nothing. */
function mergeServiceConfig(policy: string, config: Readonly<Record<string, unknown>>) {
  if (policy === "") return Object.keys(config).length === 0 ? undefined : config;
  if (config.loadBalancingConfig !== undefined) {
    const message = "--policy and the loadBalancingConfig of --service-config exclude each other; give one";
    throw new ProgramError(message, { exitCode: 2 });
  }
  return { ...config, loadBalancingConfig: [{ [policy]: {} }] };
}

void runClient({ name: "client-grpc", summary, flags }, ({ target, timeout, policy, serviceConfig }) => {
  const merged = mergeServiceConfig(policy, serviceConfig);
  try {
    return openPodCaller({ target, timeoutMs: timeout, serviceConfig: merged });
  } catch (cause) {
    throw new ProgramError(`grpc-js refuses this: ${(cause as Error).message}`, { cause, exitCode: 2 });
  }
});
