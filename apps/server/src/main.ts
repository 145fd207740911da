import { setLogger } from "@grpc/grpc-js";
import { messageOf, systemClock } from "@grpc-lb/core";
import { createAdminServer, probeRoutes } from "@grpc-lb/operations/admin";
import { openServerAuth } from "@grpc-lb/operations/auth";
import { createFaultInterceptor, FaultInjector, faultRoutes, requireFaultsToken } from "@grpc-lb/operations/faults";
import { createGrpcAccessLog, limitReports } from "@grpc-lb/operations/logs";
import { createCertificateExpiry, startTelemetry } from "@grpc-lb/operations/telemetry";
import { createGrpcServerTelemetry } from "@grpc-lb/operations/telemetry/grpc";
import { openServerTls } from "@grpc-lb/operations/tls";
import { createLogger, listening, runProgram } from "@grpc-lb/program";
import { drain } from "./drain.ts";
import { requireEffect, spec } from "./flags.ts";
import { listenGrpc } from "./grpc.ts";
import { listenHttp } from "./http.ts";
import { LoadMeter, processCpuMs } from "./load.ts";
import { LoadReports } from "./orca.ts";
import { describePod } from "./pod.ts";
import { Readiness } from "./readiness.ts";
import { registerServer } from "./registrations.ts";
import { warmUp } from "./warm-up.ts";
import { Workload } from "./workload.ts";

void runProgram(spec, async ({ flags, signal }) => {
  requireEffect(flags);
  const { faultsTokenFile } = flags;
  if (faultsTokenFile !== "") await requireFaultsToken(faultsTokenFile);
  const log = createLogger("server", flags.logLevel, { format: flags.logFormat });
  const logGrpc = (message: unknown) => log.debug({ grpc: message }, "grpc-js");
  setLogger({ error: logGrpc, info: logGrpc, debug: logGrpc }); // by default grpc-js writes plain text to stderr
  const tls = await openServerTls(flags, {
    onReload: ({ expiresMs = 0 }) => log.info({ expires: new Date(expiresMs) }, "certificate reloaded"),
    onProblem: (reason) => log.warn({ reason }, "certificate files cannot be used; the last good ones stay"),
  });
  const readiness = new Readiness();
  const tokenRefused = limitReports(systemClock, (reason, peer) => log.warn({ reason, peer }, "token refused"));
  const auth = await openServerAuth(
    flags,
    (reason, hasKeys) => {
      const effect = hasKeys ? "those of the last 24 h stay in use" : "the server is not ready until they are read";
      log.warn({ reason }, `keys of the issuer cannot be read; ${effect}`);
    },
    // The calls of the warm-up have no token.
    (reason, peer) => readiness.state !== "starting" && tokenRefused(reason, peer),
  );
  const onRefused = (reason: string, peer: string) => log.warn({ reason, peer }, "TLS handshake refused");
  const pod = describePod(flags);
  const telemetry = await startTelemetry({
    service: { name: "server", version: pod.version },
    hasMetrics: flags.adminPort !== undefined,
    otlpEndpoint: flags.otlpEndpoint,
    traceSampling: flags.traceSampling,
    pod,
    report: (line) => log.warn(line),
  });
  const expiry = createCertificateExpiry(telemetry);
  tls?.followExpiry((expiresMs) => expiry.set("server", expiresMs));
  const clock = systemClock;
  const faults = faultsTokenFile === "" ? undefined : new FaultInjector({ clock, random: Math.random });
  faults?.onChange(() => {
    readiness.suspend(faults.faults.isNotServing === true);
    log.warn({ faults: faults.describe() }, "faults changed");
  });
  const meter = new LoadMeter({ clock, cpuMs: processCpuMs, capacity: flags.capacity, weight: flags.weight });
  const workload = new Workload(
    { latencyMs: flags.latency, errorRate: flags.errorRate, capacity: flags.capacity },
    { clock, random: Math.random, meter },
  );
  const loadReports = flags.loadReport ? new LoadReports(meter, clock) : undefined;

  const { bindAddress: host, httpPort, grpcPort, maxConnectionAge: maxConnectionAgeMs } = flags;
  const refuses = faults && (() => faults.faults.refusesConnections === true);
  const shared = { host, tls, onRefused, refuses };
  const isDebug = log.isLevelEnabled("debug");
  const grpcTelemetry = await createGrpcServerTelemetry(telemetry, () => readiness.state !== "starting");
  const accessLog = isDebug ? [await createGrpcAccessLog(log, telemetry)] : [];
  const http = await listening(
    "--http-port",
    httpPort,
    listenHttp(pod, readiness, workload, {
      ...shared,
      port: httpPort,
      telemetry,
      auth,
      faults,
      ...(isDebug && { log }),
    }),
  );
  const grpcOptions = {
    ...shared,
    port: grpcPort,
    maxConnectionAgeMs,
    loadReports,
    telemetry: grpcTelemetry,
    accessLog,
    interceptors: [...(auth ? [auth.interceptor] : []), ...(faults ? [createFaultInterceptor(faults)] : [])],
  };
  const listener = listenGrpc(pod, readiness, workload, grpcOptions);
  const grpc = await listening("--grpc-port", grpcPort, listener).catch(async (error) => {
    await http.close();
    throw error;
  });
  const notReady = () => readiness.problem;
  const routes = [probeRoutes({ notReady }), ...telemetry.routes];
  if (faults) routes.push(faultRoutes({ injector: faults, tokenFile: faultsTokenFile }));
  const { adminPort } = flags;
  const admin =
    adminPort === undefined
      ? undefined
      : await createAdminServer({ host, port: adminPort, routes }).catch(async (error) => {
          await Promise.all([http, grpc].map((server) => server.close()));
          throw error;
        });

  if (flags.warmUp > 0) {
    const ended = AbortSignal.any([signal, AbortSignal.timeout(flags.warmUp)]);
    const ports = {
      host,
      httpPort: http.port,
      grpcPort: grpc.port,
      hasLoadReports: loadReports !== undefined,
      tls: tls?.current,
    };
    // The server starts even if the warm-up is incomplete: only its first calls are slow.
    const incomplete = (error: unknown) => log.debug({ reason: messageOf(error) }, "warm-up incomplete");
    await workload.warmUp(() => warmUp({ ...ports, signal: ended }).catch(incomplete));
    loadReports?.renew();
  }
  if (auth) {
    readiness.waitFor("the keys of the issuer");
    await auth.waitForKeys(signal);
  }
  readiness.start();
  log.info({ pod, httpPort: http.port, grpcPort: grpc.port, ...(admin && { adminPort: admin.port }) }, "serving");

  const { register: targets, advertise, weight } = flags;
  const registrations = await registerServer({
    targets,
    pod,
    weight,
    advertise,
    bindAddress: host,
    port: grpc.port,
    onError: (error) => log.warn({ reason: error.message }, "not registered; trying again"),
    onRegistered: (subject) => log.info({ subject }, "registered"),
    clock,
    signal,
  }).catch(async (error) => {
    const closed = [http, grpc].map((server) => server.close());
    for (const server of [http, grpc]) server.cut();
    await Promise.all([...closed, admin?.close()]);
    throw error;
  });

  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  log.info({ drainDelayMs: flags.drainDelay }, "draining");
  faults?.close(); // calls that hang must not delay the end
  const leave = () => Promise.all(registrations.map((registration) => registration.close()));
  const options = { clock, delayMs: flags.drainDelay, timeoutMs: flags.drainTimeout, leave };
  const result = await drain(readiness, [http, grpc], options);
  await tls?.close();
  if (result === "cut") log.warn({ drainTimeoutMs: flags.drainTimeout }, "calls were cut at the deadline");
  await telemetry.close();
  await admin?.close();
  log.info("stopped");
  return 0;
});
