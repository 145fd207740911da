import { type AdminRoutes, clientAdminFlags, endpointsRoutes } from "@grpc-lb/operations/admin";
import { openTokenFile, tokenFlags } from "@grpc-lb/operations/auth";
import { startClientTelemetry, withOperations } from "@grpc-lb/operations/client";
import { clientLogFlags, createClientLog, logRequests } from "@grpc-lb/operations/logs";
import { telemetryFlags } from "@grpc-lb/operations/telemetry";
import { clientTlsFlags, openClientTls } from "@grpc-lb/operations/tls";
import { type Caller, printableLine, runClient } from "@grpc-lb/program";
import manifest from "../package.json" with { type: "json" };
import { callOverEndpoints } from "./endpoints.ts";
import { callOverFreshConnections } from "./fresh-connection.ts";
import { targetFlag, withTls } from "./target.ts";

const summary = "Gets the pod name of a server over HTTP, with a new connection for each call.";
const flags = {
  target: targetFlag,
  ...clientAdminFlags,
  ...telemetryFlags,
  ...clientLogFlags,
  ...clientTlsFlags,
  ...tokenFlags,
};
const warn = (message: string) => process.stderr.write(`Warning: ${printableLine(message)}\n`);

void runClient({ name: "client-http", summary, flags }, async (values, signal) => {
  const { timeout, adminPort } = values;
  const target = values.tls ? withTls(values.target) : values.target;
  const isTls = target.t === "url" && target.url.protocol === "https:";
  const tls = await openClientTls(values, { onProblem: warn }, isTls);
  const service = { name: "client-http", version: manifest.version };
  const telemetry = await startClientTelemetry(service, values, tls, warn);
  const identity = { tls, serverName: values.serverName, token: await openTokenFile(values.tokenFile) };
  const parts = { observe: logRequests(createClientLog("client-http", values.logFormat), telemetry), identity };
  const operate = (caller: Caller, routes: readonly AdminRoutes[]) => {
    const close = async () => {
      await caller.close();
      await tls?.close();
    };
    return withOperations({ ...caller, close }, { adminPort, telemetry, routes, signal });
  };
  if (target.t === "url") return operate(callOverFreshConnections(target.url, timeout, parts), []);
  const caller = callOverEndpoints(target, timeout, parts);
  return operate(caller, adminPort === undefined ? [] : [endpointsRoutes({ dispatchers: () => [caller.stats()] })]);
});
