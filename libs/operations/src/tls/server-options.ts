import { constants } from "node:crypto";
import type { Server as TlsServer } from "node:tls";
import type { Credentials } from "./credentials.ts";
import type { ReloadingCredentials } from "./reloading-credentials.ts";

/** From the TCP connection to the end of the handshake; Node would allow two minutes. */
const handshakeTimeout = 10_000;

/**
 * Returns the options of a TLS context, of either side. TLS 1.2 is the oldest version that RFC 9325 allows, whatever NODE_OPTIONS say. A server
 * has no tickets: a resumed session does not verify the client's certificate again, which would be accepted for five minutes after it has expired.
 */
export function tlsContextOptions({ cert, key, ca }: Credentials) {
  return {
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(ca !== undefined && { ca }),
    minVersion: "TLSv1.2",
    secureOptions: constants.SSL_OP_NO_TICKET,
  } as const;
}

/**
 * Returns the options of a TLS server of Node: the credentials of now, and a client certificate if there is an authority to check it
 * by. `keepCurrent` gives it the later ones.
 */
export function tlsServerOptions({ current }: ReloadingCredentials) {
  const isMutual = current.ca !== undefined;
  return { ...tlsContextOptions(current), requestCert: isMutual, rejectUnauthorized: isMutual, handshakeTimeout };
}

/** Gives a server the credentials that the files have from now on. Connections that are open keep theirs, and stay. */
export function keepCurrent(server: TlsServer, credentials: ReloadingCredentials): void {
  credentials.onChange((next) => server.setSecureContext(tlsContextOptions(next)));
}
