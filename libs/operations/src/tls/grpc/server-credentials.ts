import { ServerCredentials } from "@grpc/grpc-js";
import type { ReloadingCredentials } from "../reloading-credentials.ts";
import { tlsContextOptions, tlsServerOptions } from "../server-options.ts";

/**
 * Creates the credentials of a grpc-js server, which follow the files. Connections that are open keep theirs, and stay. grpc-js's own
 * FileWatcherCertificateProvider refuses every connection while a file is missing or a key is not that of the certificate; these
 * keep the last ones that work.
 */
export function createServerCredentials(credentials: ReloadingCredentials): ServerCredentials {
  return new FileServerCredentials(credentials);
}

class FileServerCredentials extends ServerCredentials {
  constructor(credentials: ReloadingCredentials) {
    super(tlsServerOptions(credentials), tlsContextOptions(credentials.current));
    credentials.onChange((next) => this.updateSecureContextOptions(tlsContextOptions(next)));
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}
