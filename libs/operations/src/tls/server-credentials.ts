import type { Server as TlsServer } from "node:tls";
import { ServerCredentials } from "@grpc/grpc-js";
import type { Credentials } from "./credentials.ts";
import type { ReloadingCredentials } from "./reloading-credentials.ts";

/** TLS 1.2 is the oldest version that RFC 9325 allows. */
export const minVersion = "TLSv1.2";

/** From the TCP connection to the end of the handshake; Node would allow two minutes. */
const handshakeTimeout = 10_000;

/**
 * Returns the options of a TLS server of Node: the credentials of now, and a client certificate if there is an authority to check it
 * by. `keepCurrent` gives it the later ones.
 */
export function tlsServerOptions({ current }: ReloadingCredentials) {
  const isMutual = current.ca !== undefined;
  return { ...contextOf(current), requestCert: isMutual, rejectUnauthorized: isMutual, handshakeTimeout };
}

/** Gives a server the credentials that files have from now on. Connections that are open keep theirs, and stay. */
export function keepCurrent(server: TlsServer, credentials: ReloadingCredentials): void {
  credentials.onChange((next) => server.setSecureContext(contextOf(next)));
}

/**
 * Creates the credentials of a grpc-js server, which follow the files. grpc-js's own FileWatcherCertificateProvider refuses every
 * connection while a file is missing or a key is not that of the certificate; these keep the last ones that work.
 */
export function createServerCredentials(credentials: ReloadingCredentials): ServerCredentials {
  return new FileServerCredentials(credentials);
}

class FileServerCredentials extends ServerCredentials {
  constructor(credentials: ReloadingCredentials) {
    super(tlsServerOptions(credentials), contextOf(credentials.current));
    credentials.onChange((next) => this.updateSecureContextOptions(contextOf(next)));
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}

function contextOf({ cert, key, ca }: Credentials) {
  return { cert, key, ca, minVersion } as const;
}
