/** HTTP exchanges that always end: by their answer, an error, a deadline or an abort. */
export { HttpAnswer, HttpClient, type HttpClientOptions, type HttpRequest } from "./http-client.ts";
export { HttpError } from "./http-error.ts";
export { RequestGuard } from "./request-guard.ts";
export { boundRetryAfter, readRetryAfter } from "./retry-after.ts";
