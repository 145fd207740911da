import { setLogger } from "@grpc/grpc-js";
import { systemClock, untilAborted } from "@grpc-lb/core";
import { createSource } from "@grpc-lb/discovery";
import { createAdminServer, probeRoutes } from "@grpc-lb/operations/admin";
import { createCertificateExpiry, startTelemetry } from "@grpc-lb/operations/telemetry";
import { openServerTls } from "@grpc-lb/operations/tls";
import { createLogger, listening, runProgram } from "@grpc-lb/program";
import { SnapshotCache } from "@grpc-lb/xds/cache";
import { createAdsServer, createLoadServer, createStatusServer } from "@grpc-lb/xds/server";
import manifest from "../package.json" with { type: "json" };
import type { Config } from "./config/config.ts";
import { ConfigStatus } from "./config/config-status.ts";
import { followConfigFile } from "./config/follow-config-file.ts";
import { readServedConfig } from "./config/served-config.ts";
import { flags } from "./flags.ts";
import { clientGroupOf } from "./resources/client-kind.ts";
import { logClients, logRefusals } from "./serving/client-log.ts";
import { listen } from "./serving/listen.ts";
import { observeControlPlane } from "./serving/metrics.ts";
import type { PublisherProblem } from "./serving/problems.ts";
import { Publisher } from "./serving/publisher.ts";
import { clientLoadsOf } from "./steering/client-load.ts";
import { openOrcaTls } from "./steering/orca-tls.ts";
import { Steerer } from "./steering/steerer.ts";

/** What each kind of problem means for what is served, and its end. */
const problemTexts: Readonly<Record<PublisherProblem["t"], readonly [begin: string, end: string]>> = {
  source: ["endpoints are not current", "endpoints are current again"],
  missing: ["endpoints are not known", "endpoints are known"],
  endpoints: ["endpoints are left out", "no endpoints are left out any more"],
  resources: ["resources are not consistent; the last good ones stay", "resources are consistent again"],
};

const summary = "Serves what discovery finds to clients of xDS: gRPC without a proxy, Envoy, and xds:// targets.";

void runProgram({ name: "control-plane", summary, flags }, async ({ flags, signal }) => {
  const clock = systemClock;
  const log = createLogger("control-plane", flags.logLevel, { format: flags.logFormat });
  const logGrpc = (message: unknown) => log.debug({ grpc: message }, "grpc-js");
  setLogger({ error: logGrpc, info: logGrpc, debug: logGrpc }); // by default grpc-js writes plain text to stderr
  const served = readServedConfig(flags);
  const tls = await openServerTls(flags, {
    onReload: ({ expiresMs = 0 }) => log.info({ expires: new Date(expiresMs) }, "certificate reloaded"),
    onProblem: (reason) => log.warn({ reason }, "certificate files cannot be used; the last good ones stay"),
  });
  const onRefused = (reason: string, peer: string) => log.warn({ reason, peer }, "handshake refused");
  const orcaTls = await openOrcaTls(flags, (reason) =>
    log.warn({ reason }, "certificate files of load reports cannot be used; the last good ones stay"),
  );
  const telemetry = await startTelemetry({
    service: { name: "control-plane", version: manifest.version },
    hasMetrics: flags.adminPort !== undefined,
    report: (line) => log.warn(line),
  });
  const expiry = createCertificateExpiry(telemetry);
  tls?.followExpiry((expiresMs) => expiry.set("server", expiresMs));

  const cache = new SnapshotCache();
  const publisher = new Publisher({
    ...{ cache, clock, syncTimeoutMs: flags.syncTimeout },
    createSource: (target) => createSource(target),
    onProblem: ({ services, reason, t }) => log.warn({ services, problem: reason }, problemTexts[t][0]),
    onSolved: ({ services, t }) => log.info({ services }, problemTexts[t][1]),
    onPublished: (services) => log.debug({ services }, "published"),
  });
  const steerer = new Steerer({
    ...{ clock, random: Math.random },
    orca: { tls: orcaTls && (() => orcaTls.current), serverName: flags.orcaServerName },
    onProblem: (problem) => log.warn({ problem }, "load is not known"),
    endpointsOf: (service) => publisher.endpointsOf(service),
    onFactors: (service, factors) => publisher.setFactors(service, factors),
  });
  const ads = createAdsServer({
    cache,
    groupOf: ({ userAgentName }) => clientGroupOf(userAgentName),
    identifier: "grpc-lb",
    limits: { maxStreamsPerHost: flags.maxStreamsPerHost },
    ...logClients(log),
    onRefused: logRefusals(log, clock),
  });
  const loads = createLoadServer({
    maxStreamsPerHost: flags.maxStreamsPerHost,
    onRefused: logRefusals(log, clock),
    onReport: (report) => steerer.report(report.cluster, report.intervalMs, clientLoadsOf(report)),
  });
  const configStatus = new ConfigStatus();
  observeControlPlane(telemetry, { publisher, steerer, ads, config: configStatus, clock });
  const apply = (config: Config) => {
    publisher.setConfig(config);
    steerer.setConfig(config);
    const reportMs = steerer.reportIntervalMs();
    if (reportMs !== undefined) loads.setIntervalMs(reportMs);
    configStatus.onApplied();
    log.info({ services: [...config.services.keys()] }, "configured");
  };

  const ending = new AbortController();
  // Keeps the process alive, which sources and file watches do not while the start waits for them.
  const terminated = untilAborted(AbortSignal.any([signal, ending.signal]), clock);
  const closing: (() => Promise<unknown>)[] = [
    () => publisher.close(),
    () => steerer.close(),
    () => telemetry.close(),
    async () => tls?.close(),
    async () => orcaTls?.close(),
  ];
  let state: "starting" | "serving" | "draining" = "starting";
  const missing = () => {
    const all = publisher.waitingFor().map(({ target, services }) => `${target} of ${services.join(", ")}`);
    return all.length === 0 ? undefined : all.join("; ");
  };
  const notReady = () => {
    if (state === "serving") return undefined;
    return state === "draining" ? "draining" : `waiting for ${missing() ?? "the configuration"}`;
  };
  try {
    if (flags.adminPort !== undefined) {
      const routes = [probeRoutes({ notReady, missing }), ...telemetry.routes];
      const admin = await createAdminServer({ port: flags.adminPort, routes });
      closing.unshift(() => admin.close());
      log.info({ adminPort: admin.port }, "admin");
    }
    if (served) apply(served);
    else {
      const { config, ended } = followConfigFile(flags.config, apply, ending.signal, (problem) => {
        configStatus.onRejected();
        log.error({ problem }, "configuration is wrong; the last good one stays");
      });
      closing.unshift(() => ended);
      apply(await config);
    }
    await Promise.race([publisher.published, terminated]);
    if (!signal.aborted) {
      const { bindAddress: host, port } = flags;
      const xds = await listening(
        "--port",
        port,
        listen({ host, port, services: [ads, loads], tls, clock, onRefused }),
      );
      if (flags.csdsPort !== 0) {
        const services = [createStatusServer({ ads, cache })];
        const listener = listen({ host: "127.0.0.1", port: flags.csdsPort, services, clock });
        const csds = await listening("--csds-port", flags.csdsPort, listener);
        closing.unshift(() => csds.drain(0, 0));
      }
      state = "serving";
      log.info({ port: xds.port, tls: tls !== undefined }, "serving");
      await terminated;
      state = "draining";
      log.info({ drainDelayMs: flags.drainDelay }, "draining");
      await xds.drain(flags.drainDelay, flags.drainTimeout);
    }
    log.info("stopped");
    return 0;
  } finally {
    ending.abort();
    await Promise.all(closing.map((close) => close()));
  }
});
