import { checkServerIdentity } from "@grpc-lb/core";
import type { ObserveRequest } from "@grpc-lb/operations/telemetry";
import { type ReloadingCredentials, tlsContextOptions } from "@grpc-lb/operations/tls";

/** How a client identifies itself, and by what it knows the server. */
export interface Identity {
  /** Undefined without TLS. */
  readonly tls: ReloadingCredentials | undefined;
  /** The name that the server's certificate must have; empty for that of the target. */
  readonly serverName: string;
  /** The token of each request; undefined for none. */
  readonly token: (() => Promise<string>) | undefined;
}

/** What calls need besides their target. */
export interface CallParts {
  readonly observe: ObserveRequest;
  readonly identity: Identity;
}

/** The headers of the next request. */
export async function authorize({ token }: Identity): Promise<Record<string, string>> {
  return token ? { authorization: `Bearer ${await token()}` } : {};
}

/** The TLS options of the next connection; empty without TLS. */
export function connectOptions({ tls, serverName }: Identity) {
  return {
    ...(tls && { checkServerIdentity, ...tlsContextOptions(tls.current) }),
    ...(serverName !== "" && { servername: serverName }),
  };
}
