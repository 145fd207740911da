import { adminFlags, endpointsRoutes } from "@grpc-lb/operations/admin";
import { withOperations } from "@grpc-lb/operations/client";
import { startTelemetry, telemetryFlags } from "@grpc-lb/operations/telemetry";
import { runClient } from "@grpc-lb/program";
import manifest from "../package.json" with { type: "json" };
import { callOverEndpoints } from "./endpoints.ts";
import { callOverFreshConnections } from "./fresh-connection.ts";
import { targetFlag } from "./target.ts";

const summary = "Gets the pod name of a server over HTTP, with a new connection for each call.";
const flags = { target: targetFlag, ...adminFlags, ...telemetryFlags };

void runClient({ name: "client-http", summary, flags }, async (values, signal) => {
  const { target, timeout, adminPort, otlpEndpoint, traceSampling } = values;
  const telemetry = await startTelemetry({
    service: { name: "client-http", version: manifest.version },
    hasMetrics: adminPort !== undefined,
    otlpEndpoint,
    traceSampling,
    report: (line) => process.stderr.write(`Warning: ${line}\n`),
  });
  const { observeRequest } = telemetry;
  const operations = { adminPort, telemetry, signal };
  if (target.t === "url")
    return withOperations(callOverFreshConnections(target.url, timeout, observeRequest), operations);
  const caller = callOverEndpoints(target, timeout, observeRequest);
  const routes = adminPort === undefined ? [] : [endpointsRoutes({ dispatchers: () => [caller.stats()] })];
  return withOperations(caller, { ...operations, routes });
});
