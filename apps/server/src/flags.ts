import { adminFlags } from "@grpc-lb/operations/admin";
import { serverAuthFlags } from "@grpc-lb/operations/auth";
import { faultFlags } from "@grpc-lb/operations/faults";
import { logFlags } from "@grpc-lb/operations/logs";
import { telemetryFlags } from "@grpc-lb/operations/telemetry";
import { serverTlsFlags } from "@grpc-lb/operations/tls";
import {
  bindAddressFlag,
  choiceFlag,
  durationFlag,
  type FlagValues,
  logLevels,
  portFlag,
  refuseFlags,
} from "@grpc-lb/program";
import { loadReportFlags } from "./orca.ts";
import { podFlags } from "./pod.ts";
import { registrationFlags } from "./registrations.ts";
import { workloadFlags } from "./workload.ts";

const flags = {
  ...podFlags,
  bindAddress: bindAddressFlag(),
  httpPort: portFlag({ help: "port for HTTP, 0 for a free one", default: 8080 }),
  grpcPort: portFlag({ help: "port for gRPC, 0 for a free one", default: 30_051 }),
  maxConnectionAge: durationFlag({
    help: "age at which a gRPC connection gets a GOAWAY, at least 1s, 0 for never",
    default: 0,
    defaultText: "off",
    minMs: 1_000, // with less, clients would mostly be connecting
    orZero: true,
  }),
  ...serverTlsFlags,
  ...serverAuthFlags,
  ...adminFlags,
  ...faultFlags,
  ...telemetryFlags,
  ...workloadFlags,
  ...loadReportFlags,
  ...registrationFlags,
  warmUp: durationFlag({
    help: "how long the server may call itself to warm up before it is ready, 0 for no warm-up",
    default: 2_000,
  }),
  drainDelay: durationFlag({ help: "how long to continue serving after SIGTERM, while not ready", default: 5_000 }),
  drainTimeout: durationFlag({
    help: "how long calls in progress may then take before they are aborted",
    default: 15_000,
  }),
  logLevel: choiceFlag({ metavar: "level", help: "lowest level that is logged", default: "info", choices: logLevels }),
  ...logFlags,
};

/** The program's name, summary and flags. */
export const spec = {
  name: "server",
  summary: "Answers with the name of the pod it runs in, over HTTP and gRPC.",
  flags,
};

/**
 * Refuses flags that have no effect without others.
 *
 * @throws ProgramError with exit code 2 that names them
 */
export function requireEffect(values: FlagValues<typeof flags>): void {
  if (values.weight !== 1 && !values.loadReport && values.register.length === 0) {
    refuseFlags("--weight has no effect without --load-report or --register");
  }
  if (values.advertise.host !== undefined && values.register.length === 0) {
    refuseFlags("--advertise has no effect without --register");
  }
  if (values.capacity > 0 && values.latency === 0 && !values.loadReport) {
    refuseFlags("--capacity has no effect without --latency or --load-report");
  }
  if (values.faultsTokenFile !== "" && values.adminPort === undefined) {
    refuseFlags("--faults-token-file has no effect without --admin-port");
  }
}
