/**
 * What a service adds to its gRPC clients and servers before it goes live. Each is one function, and works with every client and
 * server on grpc-js.
 *
 * ```ts
 * import { Server } from "@grpc/grpc-js";
 * import { createServerDeadline, createServerLogging, withRecovery } from "@grpc-lb/interceptors";
 *
 * const server = new Server({ interceptors: [createServerLogging({ logger }), createServerDeadline()] });
 * server.addService(PodServiceService, withRecovery(handlers, { logger }));
 * ```
 */
export { type ClientAuthOptions, createClientAuth, type TokenSource } from "./auth/client-auth.ts";
export { type TokenFileOptions, tokenFromFile } from "./auth/token-file.ts";
export { isInfrastructure } from "./call/infrastructure.ts";
export { type CallScope, currentCall, runDetached } from "./deadline/call-scope.ts";
export { type ClientDeadlineOptions, createClientDeadline, createServerDeadline } from "./deadline/deadline.ts";
export type { LogFunction, Logger, LogLevel } from "./logger.ts";
export { createClientLogging, createServerLogging, type LoggingOptions } from "./logging/logging.ts";
export { type RecoveryOptions, withRecovery } from "./recovery/recovery.ts";
export { createRetries, type Retries, type RetryableStatus, type RetryOptions } from "./retries/retries.ts";
export { retryableMethods } from "./retries/retryable-methods.ts";
