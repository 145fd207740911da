import { messageOf } from "@grpc-lb/core";
import { clientAdminFlags, endpointsRoutes } from "@grpc-lb/operations/admin";
import { createTokenInterceptors, tokenFlags } from "@grpc-lb/operations/auth";
import { startClientTelemetry, withOperations } from "@grpc-lb/operations/client";
import { clientLogFlags, createClientLog, createGrpcCallLog } from "@grpc-lb/operations/logs";
import { telemetryFlags } from "@grpc-lb/operations/telemetry";
import { createGrpcClientTelemetry } from "@grpc-lb/operations/telemetry/grpc";
import { clientTlsFlags, openClientTls } from "@grpc-lb/operations/tls";
import { createChannelCredentials } from "@grpc-lb/operations/tls/grpc";
import { durationFlag, ProgramError, printableLine, runClient } from "@grpc-lb/program";
import { registerResolvers } from "@grpc-lb/resolver";
import manifest from "../package.json" with { type: "json" };
import { openPodCaller } from "./get-pod.ts";
import { hashKeyFlag, policies, policyFlag, withHashKey } from "./policy-flag.ts";
import { loadProxyless } from "./proxyless.ts";
import { chosenPolicy, mergeServiceConfig, serviceConfigFlag } from "./service-config.ts";
import { isProxyless, targetFlag } from "./target.ts";

const flags = {
  target: targetFlag,
  policy: policyFlag,
  hashKey: hashKeyFlag,
  serviceConfig: serviceConfigFlag,
  keepaliveTime: durationFlag({
    help: "how often to ping a connection with calls in flight; servers must permit less than 5m",
    default: 305_000,
    minMs: 1_000,
  }),
  ...clientAdminFlags,
  ...telemetryFlags,
  ...clientLogFlags,
  ...clientTlsFlags,
  ...tokenFlags,
};

const summary = "Gets the pod name of a server over gRPC, on one channel for all calls.";

/** The libraries name the channel option; its user knows the flag. */
const warn = (message: string) =>
  process.stderr.write(`Warning: ${printableLine(message.replace("grpc.service_config:", "--service-config:"))}\n`);

/**
 * Deprecations that change nothing for a user: grpc-js names the server in the TLS handshake by its address where the target has no name,
 * which servers ignore (DEP0123); packages below @grpc/grpc-js-xds load Node's punycode (DEP0040).
 */
const harmlessWarnings: ReadonlySet<string> = new Set(["DEP0123", "DEP0040"]);

void runClient({ name: "client-grpc", summary, flags }, async (values, signal) => {
  const { target, timeout, hashKey, keepaliveTime, adminPort } = values;
  const serviceConfig = mergeServiceConfig(withHashKey(values.policy, hashKey), values.serviceConfig);
  const policy = chosenPolicy(serviceConfig);
  await loadProxyless(target, policy && (values.policy ? "--policy" : "--service-config"));
  if (policy) process.stderr.write(`Policy: ${policy.name} ${JSON.stringify(policy.config)}\n`);
  // Node would print a warning of the policies in two lines, with the process id.
  process.removeAllListeners("warning").on("warning", (warning: Error & { code?: string }) => {
    if (!harmlessWarnings.has(warning.code ?? "")) warn(warning.message);
  });
  for (const ignored of values.serviceConfig?.ignored ?? []) warn(`--service-config: ${ignored}`);
  const { findEndpoint, stats } = registerResolvers({
    // That the resolver of gRPC's own xDS client stays is what the target asks for.
    warn: (message) => (isProxyless(target) && message.startsWith("xds: ") ? undefined : warn(message)),
    warnOfProxy: false, // openPodCaller uses none
  });
  const tls = await openClientTls(values, { onProblem: warn });
  const service = { name: "client-grpc", version: manifest.version };
  const telemetry = await startClientTelemetry(service, values, tls, warn);
  const options = {
    target,
    timeoutMs: timeout,
    keepaliveTimeMs: keepaliveTime,
    hashKey,
    serviceConfig,
    tls: tls && createChannelCredentials(tls),
    serverName: values.serverName,
    interceptors: [
      ...(await createGrpcClientTelemetry(telemetry, { findEndpoint: (peer) => findEndpoint(peer) })),
      ...(await createGrpcCallLog(createClientLog("client-grpc", values.logFormat), telemetry)),
      ...(await createTokenInterceptors(values.tokenFile)),
    ],
  };
  const open = () => {
    try {
      return openPodCaller(options);
    } catch (cause) {
      throw new ProgramError(`invalid --service-config or --target: ${messageOf(cause)}`, { cause, exitCode: 2 });
    }
  };
  const caller = open();
  const close = async () => {
    await caller.close();
    await tls?.close();
  };
  const routes =
    adminPort === undefined ? [] : [endpointsRoutes({ resolvers: stats, policies: () => policies.stats() })];
  return withOperations({ ...caller, close }, { adminPort, telemetry, routes, signal });
});
