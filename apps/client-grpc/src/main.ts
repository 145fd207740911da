import { type Flag, ProgramError, runClient } from "@grpc-lb/program";
import { registerResolvers } from "@grpc-lb/resolver";
import { openPodCaller } from "./get-pod.ts";
import { hashKeyFlag, policyFlag, withHashKey } from "./policy-flag.ts";
import { mergeServiceConfig, parseServiceConfig } from "./service-config.ts";
import { targetFlag } from "./target.ts";

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
  hashKey: hashKeyFlag,
  serviceConfig: serviceConfigFlag,
};

const summary = "Asks a server for its pod name over gRPC, on one channel for all calls.";

void runClient({ name: "client-grpc", summary, flags }, ({ target, timeout, policy, hashKey, serviceConfig }) => {
  const merged = mergeServiceConfig(withHashKey(policy, hashKey), serviceConfig);
  const [chosen] = (merged?.loadBalancingConfig ?? []) as readonly Record<string, unknown>[];
  for (const [name, config] of Object.entries(chosen ?? {})) {
    process.stderr.write(`Policy: ${name} ${JSON.stringify(config)}\n`);
  }
  registerResolvers({
    warn: (message) => process.stderr.write(`Warning: ${message}\n`),
    isProxyDisabled: true, // by openPodCaller
  });
  try {
    return openPodCaller({ target, timeoutMs: timeout, hashKey, serviceConfig: merged });
  } catch (cause) {
    throw new ProgramError(`grpc-js refuses this: ${(cause as Error).message}`, { cause, exitCode: 2 });
  }
});
