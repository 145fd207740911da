/** What needs OpenTelemetry. Programs load it when they are asked for metrics or traces; in an image it is a file of its own. */
export { createRequestObserver } from "./http-client.ts";
export { instrumentHttpServer } from "./http-server.ts";

export const loadMetrics = () => import("./metrics.ts");
export const loadTraces = () => import("./traces.ts");
