/** HTTP exchanges that always end: by their answer, an error, a deadline or an abort. */
export { RequestGuard } from "./request-guard.ts";
