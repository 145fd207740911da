/** What the clients of this repository have for their operators. */
export { type ClientTelemetryFlags, startClientTelemetry } from "./start-client-telemetry.ts";
export { type ClientOperations, withOperations } from "./with-operations.ts";
