/** The client of the API server and its list-watch, for programs of this repository; not published. */
export { DiscoveryError } from "../core/discovery-error.ts";
export { runWithRestarts } from "../core/run-with-restarts.ts";
export { type ApiAccess, ApiClient, type ApiRequest } from "./api-client.ts";
export { type Change, ListWatch } from "./list-watch.ts";
export type { ApiObject } from "./reader.ts";
