import { setLogger } from "@grpc/grpc-js";
import { maxDurationMs, messageOf, systemClock } from "@grpc-lb/core";
import { createSource } from "@grpc-lb/discovery";
import { adminFlags, createAdminServer, probeRoutes } from "@grpc-lb/operations/admin";
import { logFlags } from "@grpc-lb/operations/logs";
import { createCertificateExpiry, startTelemetry } from "@grpc-lb/operations/telemetry";
import { openServerTls, serverTlsFlags } from "@grpc-lb/operations/tls";
import {
  choiceFlag,
  createLogger,
  durationFlag,
  listFlag,
  logLevels,
  ProgramError,
  portFlag,
  runProgram,
  textFlag,
} from "@grpc-lb/program";
import { SnapshotCache } from "@grpc-lb/xds/cache";
import { createAdsServer, createLoadServer, createStatusServer } from "@grpc-lb/xds/server";
import manifest from "../package.json" with { type: "json" };
import type { Config } from "./config/config.ts";
import { watchConfigFile } from "./config/config-file.ts";
import { configOf } from "./config/read-config.ts";
import { envoyPortFlag, serveFlag, toMap } from "./config/serve-flag.ts";
import { clientKindOf } from "./resources/client-kind.ts";
import { type Listening, type ListenOptions, listen } from "./serving/listen.ts";
import { observeControlPlane } from "./serving/metrics.ts";
import { Publisher } from "./serving/publisher.ts";
import { clientLoadsOf } from "./steering/client-load.ts";
import { Steerer } from "./steering/steerer.ts";

const flags = {
  serve: listFlag(serveFlag),
  envoyPort: listFlag(envoyPortFlag),
  steering: choiceFlag({
    metavar: "reports",
    help: "change the weights of the served endpoints by load reports",
    default: "off",
    choices: ["off", "orca", "lrs"],
  }),
  config: textFlag({
    metavar: "file",
    help: "services and their policies, in YAML or JSON, watched; in place of --serve",
    default: "",
  }),
  bindAddress: textFlag({
    metavar: "address",
    help: "address to listen on",
    default: "",
    defaultText: "every interface",
  }),
  port: portFlag({ help: "port for xDS, 0 for a free one", default: 18_000 }),
  csdsPort: portFlag({
    help: "port on 127.0.0.1 that shows what each client has (CSDS), 0 for none",
    default: 0,
    defaultText: "off",
  }),
  ...adminFlags,
  ...serverTlsFlags,
  syncTimeout: durationFlag({
    help: "how long the start waits for sources that have not answered",
    default: 10_000,
  }),
  drainDelay: durationFlag({ help: "how long to continue serving after SIGTERM, while not ready", default: 5_000 }),
  drainTimeout: durationFlag({ help: "how long streams may then take to end before they are cut", default: 5_000 }),
  ...logFlags,
  logLevel: choiceFlag({ metavar: "level", help: "lowest level that is logged", default: "info", choices: logLevels }),
};

/** How often clients report load, if a service is steered by that. */
const loadReportMs = 1_000;

const summary = "Serves what discovery finds to clients of xDS: gRPC without a proxy, Envoy, and xds:// targets.";

void runProgram({ name: "control-plane", summary, flags }, async ({ flags, signal }) => {
  const clock = systemClock;
  const log = createLogger("control-plane", flags.logLevel, { format: flags.logFormat });
  const logGrpc = (message: unknown) => log.debug({ grpc: message }, "grpc-js");
  setLogger({ error: logGrpc, info: logGrpc, debug: logGrpc }); // by default grpc-js writes plain text to stderr
  const served = readServed(flags);
  const tls = await openServerTls(flags, {
    onReload: ({ expiresMs = 0 }) => log.info({ expires: new Date(expiresMs) }, "certificate reloaded"),
    onProblem: (reason) => log.warn({ reason }, "certificate files cannot be used; the last good ones stay"),
  });
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
    onProblem: (problem) => log.warn({ problem }, "endpoints are not current"),
    onPublished: (services) => log.debug({ services }, "published"),
  });
  const steerer = new Steerer({
    ...{ clock, random: Math.random },
    endpointsOf: (service) => publisher.endpointsOf(service),
    onFactors: (service, factors) => publisher.setFactors(service, factors),
  });
  const ads = createAdsServer({
    cache,
    groupOf: ({ userAgentName }) => clientKindOf(userAgentName),
    identifier: "grpc-lb",
    onConnected: ({ id, node, group, peer }) =>
      log.info({ client: id, node: node.id, group, peer }, "client connected"),
    onDisconnected: ({ id }, reason) => log.info({ client: id, reason }, "client disconnected"),
    onRejected: ({ client, typeUrl, names, message }) => {
      const type = typeUrl.slice(typeUrl.lastIndexOf(".") + 1);
      log.warn({ client: client.id, node: client.node.id, type, names, reason: message }, "client rejected resources");
    },
  });
  const loads = createLoadServer({
    intervalMs: loadReportMs,
    onReport: (report) => steerer.report(report.cluster, report.node.id, report.intervalMs, clientLoadsOf(report)),
  });
  observeControlPlane(telemetry, { publisher, ads, clock });
  const apply = (config: Config) => {
    publisher.setConfig(config);
    steerer.setConfig(config);
    log.info({ services: [...config.services.keys()] }, "configured");
  };

  const ending = new AbortController();
  // A timer, because sources and file watches do not keep the process alive while the start waits for them.
  const terminated = clock.sleep(maxDurationMs, AbortSignal.any([signal, ending.signal]));
  const closing: (() => Promise<unknown>)[] = [
    () => publisher.close(),
    () => steerer.close(),
    () => telemetry.close(),
    async () => tls?.close(),
  ];
  let state: "starting" | "serving" | "draining" = "starting";
  const notReady = () => {
    if (state === "serving") return undefined;
    return state === "draining"
      ? "draining"
      : `waiting for ${publisher.waitingFor().join(", ") || "the configuration"}`;
  };
  try {
    if (flags.adminPort !== undefined) {
      const routes = [probeRoutes({ notReady }), ...telemetry.routes];
      const admin = await createAdminServer({ port: flags.adminPort, routes });
      closing.unshift(() => admin.close());
      log.info({ adminPort: admin.port }, "admin");
    }
    if (served) apply(served);
    else {
      const { config, ended } = followConfigFile(flags.config, apply, ending.signal, (problem) =>
        log.error({ problem }, "configuration is wrong; the last good one stays"),
      );
      closing.unshift(() => ended);
      apply(await config);
    }
    await Promise.race([publisher.published, terminated]);
    if (!signal.aborted) {
      const { bindAddress: host, port } = flags;
      const listening = await listenOn({ host, port, services: [ads, loads], tls, clock });
      if (flags.csdsPort !== 0) {
        const services = [createStatusServer({ ads, cache })];
        const csds = await listenOn({ host: "127.0.0.1", port: flags.csdsPort, services, clock });
        closing.unshift(() => csds.drain(0, 0));
      }
      state = "serving";
      log.info({ port: listening.port, tls: tls !== undefined }, "serving");
      await terminated;
      state = "draining";
      log.info({ drainDelayMs: flags.drainDelay }, "draining");
      await listening.drain(flags.drainDelay, flags.drainTimeout);
    }
    log.info("stopped");
    return 0;
  } finally {
    ending.abort();
    await Promise.all(closing.map((close) => close()));
  }
});

/** As `listen`. @throws ProgramError with exit code 1 that names the port, when it cannot be listened on */
async function listenOn(options: ListenOptions): Promise<Listening> {
  try {
    return await listen(options);
  } catch (cause) {
    throw new ProgramError(`cannot listen on port ${options.port}: ${messageOf(cause)}`, { cause, exitCode: 1 });
  }
}

/** The configuration of `--serve`; undefined for one of a file. @throws ProgramError with exit code 2 for flags that do not fit */
function readServed(values: {
  readonly serve: readonly (readonly [string, string])[];
  readonly envoyPort: readonly (readonly [string, number])[];
  readonly steering: "off" | "orca" | "lrs";
  readonly config: string;
}): Config | undefined {
  const { serve, envoyPort, steering, config } = values;
  try {
    if ((config === "") === (serve.length === 0)) {
      throw new RangeError(`${config === "" ? "needs" : "takes"} either --serve name=target or --config file`);
    }
    if (config === "") {
      const services = toMap("--serve", serve);
      const ports = toMap("--envoy-port", envoyPort);
      const unknown = [...ports.keys()].find((name) => !services.has(name));
      if (unknown !== undefined) throw new RangeError(`--envoy-port names ${unknown}, which --serve does not`);
      return configOf(services, ports, steering);
    }
    if (envoyPort.length > 0 || steering !== "off") {
      throw new RangeError("--envoy-port and --steering are fields of the file when there is a --config");
    }
    return undefined;
  } catch (cause) {
    throw new ProgramError(messageOf(cause), { cause, exitCode: 2 });
  }
}

/**
 * Watches a file of configuration.
 *
 * @param apply called with each later configuration
 * @param onError called with each later error
 * @returns the first configuration, or a ProgramError with exit code 2; and the end of the watch
 */
function followConfigFile(
  path: string,
  apply: (config: Config) => void,
  signal: AbortSignal,
  onError: (problem: string) => void,
): { readonly config: Promise<Config>; readonly ended: Promise<void> } {
  const { promise: config, resolve, reject } = Promise.withResolvers<Config>();
  let isFirst = true;
  const takeFirst = () => {
    const wasFirst = isFirst;
    isFirst = false;
    return wasFirst;
  };
  const ended = watchConfigFile(
    {
      ...{ path, clock: systemClock },
      onConfig: (next) => (takeFirst() ? resolve(next) : apply(next)),
      onError: (problem) => (takeFirst() ? reject(new ProgramError(problem, { exitCode: 2 })) : onError(problem)),
    },
    signal,
  );
  return { config, ended };
}
