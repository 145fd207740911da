import { registerKubernetesResolver } from "@grpc-lb/resolver";
import { type Flag, ProgramError, runClient } from "@grpc-lb/runtime/process";
import { openPodCaller } from "./get-pod.ts";
import { needsNoConfig, registeredPolicies, validatePolicy } from "./policy.ts";
import { mergeServiceConfig, parseServiceConfig } from "./service-config.ts";
import { targetFlag } from "./target.ts";

const usableNames = registeredPolicies().filter(needsNoConfig);

const policyFlag: Flag<string> = {
  metavar: "name",
  help: `load balancing policy: ${usableNames.join(", ")}`,
  default: "",
  defaultText: "pick_first, for kubernetes: targets round_robin",
  parse(text) {
    validatePolicy(text, {}, usableNames);
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
  target: targetFlag,
  policy: policyFlag,
  serviceConfig: serviceConfigFlag,
};

const summary = "Asks a server for its pod name over gRPC, on one channel for all calls.";

void runClient({ name: "client-grpc", summary, flags }, ({ target, timeout, policy, serviceConfig }) => {
  const merged = mergeServiceConfig(policy, serviceConfig);
  registerKubernetesResolver({ warn: (message) => process.stderr.write(`Warning: ${message}\n`) });
  try {
    return openPodCaller({ target, timeoutMs: timeout, serviceConfig: merged });
  } catch (cause) {
    throw new ProgramError(`grpc-js refuses this: ${(cause as Error).message}`, { cause, exitCode: 2 });
  }
});
