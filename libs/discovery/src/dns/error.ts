import { formatDuration, messageOf } from "@grpc-lb/core";
import { DiscoveryError } from "../core/discovery-error.ts";

/** By the codes of node:dns, which are those of c-ares. */
const reasons: Readonly<Record<string, string>> = {
  ESERVFAIL: "SERVFAIL: the name server failed",
  EREFUSED: "REFUSED: the name server does not answer this client",
  EFORMERR: "FORMERR: the name server cannot read the query",
  ENOTIMP: "NOTIMP: the name server does not support the query",
  EBADRESP: "the answer is not a DNS message",
  ECONNREFUSED: "connection refused: no name server listens there",
};

/** A failed query, and how it was made. */
export interface FailedQuery {
  /** The record type and the name. */
  readonly what: string;
  /** The name servers that were queried, `host:port`. */
  readonly servers: readonly string[];
  readonly timeoutMs: number;
}

/** Turns an error of node:dns into one that names the query, the name servers and the reason. */
export function toDiscoveryError(cause: unknown, { what, servers, timeoutMs }: FailedQuery): DiscoveryError {
  const { code = "" } = cause as NodeJS.ErrnoException;
  const isLate = code === "ETIMEOUT" || code === "ECANCELLED";
  const reason = isLate ? `no answer in ${formatDuration(timeoutMs)}` : (reasons[code] ?? messageOf(cause));
  const where = servers.length === 0 ? "" : ` at ${servers.join(", ")}`;
  return new DiscoveryError(
    code === "EREFUSED" ? "permissionDenied" : "unavailable",
    `dns-poll: query ${what}${where}: ${reason}`,
    { cause },
  );
}
