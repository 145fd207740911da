/** HTTP exchanges that always end: by their answer, an error, a deadline or an abort. */
export { HttpAnswer, HttpClient, type HttpClientOptions, HttpError, type HttpRequest } from "./http-client.ts";
export { RequestGuard } from "./request-guard.ts";
export { boundRetryAfter, readRetryAfter } from "./retry-after.ts";
