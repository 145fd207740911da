import { setLogger } from "@grpc/grpc-js";
import { systemClock } from "@grpc-lb/core";
import {
  choiceFlag,
  createLogger,
  durationFlag,
  logLevels,
  ProgramError,
  portFlag,
  runProgram,
  textFlag,
} from "@grpc-lb/program";
import { drain } from "./drain.ts";
import { listenGrpc } from "./grpc.ts";
import { listenHttp } from "./http.ts";
import { LoadMeter, processCpuMs } from "./load.ts";
import { LoadReports, loadReportFlags } from "./orca.ts";
import { describePod, podFlags } from "./pod.ts";
import { Readiness } from "./readiness.ts";
import { registerServer, registrationFlags } from "./registrations.ts";
import { Workload, workloadFlags } from "./workload.ts";

const flags = {
  ...podFlags,
  bindAddress: textFlag({
    metavar: "address",
    help: "address to listen on",
    default: "",
    defaultText: "every interface",
  }),
  httpPort: portFlag({ help: "port for HTTP, 0 for a free one", default: 8080 }),
  grpcPort: portFlag({ help: "port for gRPC, 0 for a free one", default: 30_051 }),
  maxConnectionAge: durationFlag({
    help: "age after which a gRPC connection is told to go away, 0 for never",
    default: 0,
    defaultText: "off",
  }),
  ...workloadFlags,
  ...loadReportFlags,
  ...registrationFlags,
  drainDelay: durationFlag({ help: "how long to serve on after SIGTERM, not ready any more", default: 5_000 }),
  drainTimeout: durationFlag({
    help: "how long to wait then for calls under way before they are cut",
    default: 15_000,
  }),
  logLevel: choiceFlag({ metavar: "level", help: "least level that is logged", default: "info", choices: logLevels }),
};

const summary = "Answers with the name of the pod it runs in, over HTTP and gRPC.";

void runProgram({ name: "server", summary, flags }, async ({ flags, signal }) => {
  if (flags.weight !== 1 && !flags.loadReport && flags.register.length === 0) {
    const message = "--weight is told by load reports and registries; give --load-report or --register too";
    throw new ProgramError(message, { exitCode: 2 });
  }
  if (flags.capacity > 0 && flags.latency === 0 && !flags.loadReport) {
    const message = "--capacity is of calls that take time; give --latency or --load-report too";
    throw new ProgramError(message, { exitCode: 2 });
  }
  const log = createLogger("server", flags.logLevel);
  const logGrpc = (message: unknown) => log.debug({ grpc: message }, "grpc-js");
  setLogger({ error: logGrpc, info: logGrpc, debug: logGrpc }); // else it writes plain text to stderr
  const pod = describePod(flags);
  const readiness = new Readiness();
  const clock = systemClock;
  const meter = new LoadMeter({ clock, cpuMs: processCpuMs, capacity: flags.capacity, weight: flags.weight });
  const workload = new Workload(
    { latencyMs: flags.latency, errorRate: flags.errorRate, capacity: flags.capacity },
    { clock, random: Math.random, meter },
  );
  const loadReports = flags.loadReport ? new LoadReports(meter, clock) : undefined;

  const listening = <T>(what: string, port: number, listener: Promise<T>) =>
    listener.catch((cause: Error) => {
      const message = `cannot listen for ${what} on port ${port}: ${cause.message}`;
      throw new ProgramError(message, { cause, exitCode: 1 });
    });
  const { bindAddress: host, httpPort, grpcPort, maxConnectionAge: maxConnectionAgeMs } = flags;
  const http = await listening("HTTP", httpPort, listenHttp(pod, readiness, workload, { host, port: httpPort }));
  const grpcOptions = { host, port: grpcPort, maxConnectionAgeMs, loadReports };
  const listener = listenGrpc(pod, readiness, workload, grpcOptions);
  const grpc = await listening("gRPC", grpcPort, listener).catch(async (error) => {
    await http.close();
    throw error;
  });
  log.info({ pod, httpPort: http.port, grpcPort: grpc.port }, "serving");
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
    await Promise.all(closed);
    throw error;
  });

  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  log.info({ drainDelayMs: flags.drainDelay }, "draining");
  const leave = () => Promise.all(registrations.map((registration) => registration.close()));
  const options = { clock, delayMs: flags.drainDelay, timeoutMs: flags.drainTimeout, leave };
  const result = await drain(readiness, [http, grpc], options);
  if (result === "cut") log.warn({ drainTimeoutMs: flags.drainTimeout }, "calls were cut at the deadline");
  log.info("stopped");
  return 0;
});
