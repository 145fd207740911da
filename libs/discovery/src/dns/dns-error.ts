import { formatDuration } from "@grpc-lb/core";
import { formatAddress } from "../core/address.ts";
import { DiscoveryError } from "../core/discovery-error.ts";
import type { Address } from "../core/snapshot.ts";

/** By the codes of node:dns, which are those of c-ares. */
const reasons: Readonly<Record<string, string>> = {
  ESERVFAIL: "SERVFAIL",
  EREFUSED: "REFUSED: the name server does not answer this client",
  EFORMERR: "FORMERR: the name server does not understand the question",
  ENOTIMP: "NOTIMP: the name server does not know such questions",
  EBADRESP: "the answer is no message of DNS",
  ECONNREFUSED: "no name server listens there",
};

/** Who could not say what. */
export function describeFailure(
  cause: unknown,
  { what, server, timeoutMs }: { what: string; server: Address | undefined; timeoutMs: number },
): DiscoveryError {
  const { code = "", message } = cause as NodeJS.ErrnoException;
  const isLate = code === "ETIMEOUT" || code === "ECANCELLED";
  const reason = isLate ? `no answer in ${formatDuration(timeoutMs)}` : (reasons[code] ?? message);
  const where = server ? ` at ${formatAddress(server)}` : "";
  return new DiscoveryError(
    code === "EREFUSED" ? "permissionDenied" : "unavailable",
    `dns-poll: ask for ${what}${where}: ${reason}`,
    {
      cause,
    },
  );
}
