/** The log of a program: its format, and its calls. */
export type { Logger } from "@grpc-lb/interceptors";
export { createGrpcAccessLog, logHttpRequests } from "./access-log.ts";
export { clientLogFlags, createClientLog, createGrpcCallLog, logRequests } from "./client-log.ts";
export { limitReports, type OnRefused } from "./limit-reports.ts";
export { logFlags } from "./log-flags.ts";
