import { choiceFlag, logFormats } from "@grpc-lb/program";

/** The flag of a program with a log. */
export const logFlags = {
  logFormat: choiceFlag({ metavar: "format", help: "how the log is written", default: "json", choices: logFormats }),
};
