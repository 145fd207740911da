import { adminFlags } from "@grpc-lb/operations/admin";
import { logFlags } from "@grpc-lb/operations/logs";
import { serverNameFlag, serverTlsFlags } from "@grpc-lb/operations/tls";
import {
  bindAddressFlag,
  choiceFlag,
  durationFlag,
  fileFlag,
  integerFlag,
  listFlag,
  logLevels,
  portFlag,
} from "@grpc-lb/program";
import { envoyPortFlag, serveFlag } from "./config/serve-flag.ts";

/** The flags of the control plane; each has an environment variable. */
export const flags = {
  serve: listFlag(serveFlag),
  envoyPort: listFlag(envoyPortFlag),
  steering: choiceFlag({
    metavar: "reports",
    help: "change the weights of the served endpoints by load reports",
    default: "off",
    choices: ["off", "orca", "lrs"],
  }),
  config: fileFlag({
    help: "services and their policies, in YAML or JSON, watched; in place of --serve",
  }),
  bindAddress: bindAddressFlag(),
  port: portFlag({ help: "port for xDS, 0 for a free one", default: 18_000 }),
  csdsPort: portFlag({
    help: "port on 127.0.0.1 that shows what each client has (CSDS), 0 for none",
    default: 0,
    defaultText: "off",
  }),
  maxStreamsPerHost: integerFlag({
    metavar: "count",
    help: "streams that clients of one address may have at a time; behind a proxy all have its address",
    default: 1_000,
    min: 1,
  }),
  ...adminFlags,
  ...serverTlsFlags,
  tlsCert: {
    ...serverTlsFlags.tlsCert,
    help: "certificate of --port in PEM, with the intermediate ones; with it that port speaks TLS",
  },
  orcaCa: fileFlag({
    help: "authorities of the endpoints' certificates in PEM; with it the load reports of --steering=orca are read by TLS",
    defaultText: "in clear",
  }),
  orcaServerName: serverNameFlag({
    help: "name that the certificates of the endpoints must have",
    defaultText: "their address",
  }),
  syncTimeout: durationFlag({
    help: "how long the start, and later each added service, waits for sources that do not answer",
    default: 10_000,
  }),
  drainDelay: durationFlag({ help: "how long to continue serving after SIGTERM, while not ready", default: 5_000 }),
  drainTimeout: durationFlag({ help: "how long streams may then take to end before they are cut", default: 5_000 }),
  ...logFlags,
  logLevel: choiceFlag({ metavar: "level", help: "lowest level that is logged", default: "info", choices: logLevels }),
};
