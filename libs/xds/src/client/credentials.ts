import { messageOf, readTextFile } from "@grpc-lb/core";
import type { TlsMaterial } from "../channel/index.ts";
import { XdsError } from "./error.ts";

/** How a TLS connection to a control plane is made. The files are read for each connection, so they may be replaced at any time. */
export interface XdsTls {
  /** The authorities that may have signed the control plane's certificate, as PEM. Default: those that Node trusts. */
  readonly caFile?: string | undefined;
  /** The client's certificate, as PEM, where the control plane requires one; needs `keyFile`. */
  readonly certFile?: string | undefined;
  /** The key of `certFile`, as PEM. */
  readonly keyFile?: string | undefined;
  /** The name that the control plane's certificate must have. Default: the host of the target. */
  readonly serverName?: string | undefined;
}

/** How a client authenticates, and the security of its connections. It comes from files or the environment, never from a target. */
export interface XdsCredentials {
  /** Default: no TLS. `{}` is TLS with Node's authorities. */
  readonly tls?: XdsTls | undefined;
  /** A file with a token, such as a service account's, which is sent as `authorization: Bearer`; read for each stream. Needs `tls`. */
  readonly tokenFile?: string | undefined;
}

/** @throws RangeError for credentials that are not valid */
export function validateXdsCredentials({ tls, tokenFile }: XdsCredentials): void {
  if ((tls?.certFile === undefined) !== (tls?.keyFile === undefined)) {
    throw new RangeError("credentials: tls.certFile and tls.keyFile go together");
  }
  if (tokenFile !== undefined && !tls)
    throw new RangeError("credentials: tokenFile needs tls, or the token is sent in clear");
}

/** The TLS files as they are now; undefined without TLS. @throws XdsError for one that cannot be read */
export async function readTls(where: string, host: string, { tls }: XdsCredentials, signal: AbortSignal) {
  if (!tls) return undefined;
  const read = (file: string | undefined) =>
    file === undefined ? undefined : readFile(where, "a TLS file", file, signal);
  const [ca, cert, key] = await Promise.all([read(tls.caFile), read(tls.certFile), read(tls.keyFile)]);
  return { ca, cert, key, serverName: tls.serverName ?? host } satisfies TlsMaterial;
}

/** The token as it is now; undefined without one. @throws XdsError for a file that cannot be read, or has none */
export async function readToken(where: string, { tokenFile }: XdsCredentials, signal: AbortSignal) {
  if (tokenFile === undefined) return undefined;
  const token = (await readFile(where, "the token's file", tokenFile, signal)).trim();
  // A header takes no other characters, and the exception for them would repeat the token.
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new XdsError("permissionDenied", `control plane ${where}: the token's file ${tokenFile} has no token`);
}

async function readFile(where: string, what: string, file: string, signal: AbortSignal): Promise<string> {
  try {
    return await readTextFile(file, { signal });
  } catch (cause) {
    throw new XdsError("permissionDenied", `control plane ${where}: ${what} cannot be read: ${messageOf(cause)}`, {
      cause,
    });
  }
}
