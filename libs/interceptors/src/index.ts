/**
 * What a service adds to its gRPC clients and servers before it goes live. Each is one function, and works with every client and
 * server on grpc-js.
 *
 * ```ts
 * import { Server } from "@grpc/grpc-js";
 * import { withRecovery } from "@grpc-lb/interceptors";
 *
 * const server = new Server();
 * server.addService(PodServiceService, withRecovery(handlers, { logger }));
 * ```
 */
export type { LogFunction, Logger, LogLevel } from "./logger.ts";
export { type RecoveryOptions, withRecovery } from "./recovery/recovery.ts";
