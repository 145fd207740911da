/**
 * Faults for a server that runs: delays, errors, hanging calls, a server that is not ready or refuses connections.
 *
 * ```ts
 * import { Server } from "@grpc/grpc-js";
 * import { systemClock } from "@grpc-lb/core";
 * import { createFaultInterceptor, FaultInjector, parseFaults } from "@grpc-lb/operations/faults";
 *
 * const injector = new FaultInjector({ clock: systemClock, random: Math.random });
 * const server = new Server({ interceptors: [createFaultInterceptor(injector)] });
 * injector.set(parseFaults("delay=100ms:10% error=UNAVAILABLE:5% for=60s"));
 * ```
 */
export { createFaultHook, createFaultInterceptor } from "./call-faults.ts";
export { FaultInjector, type FaultOutcome } from "./fault-injector.ts";
export { type FaultRoutesOptions, faultFlags, faultRoutes, requireFaultsToken } from "./fault-routes.ts";
export { type Faults, formatFaults, parseFaults, slowStartExtraMs } from "./faults.ts";
export { goneSignal } from "./gone-signal.ts";
