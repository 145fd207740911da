import { readFile } from "node:fs/promises";
import { parseAddress } from "../core/address.ts";
import type { Address } from "../core/snapshot.ts";
import type { TlsMaterial } from "./member-credentials.ts";

const defaultPort = 2379;

/** How a TLS connection to etcd is made. Files are read again for each connection, so they may be replaced at any time. */
export interface EtcdTls {
  /** Who may have signed etcd's certificate, as PEM. Default: the authorities that Node trusts. */
  readonly caFile?: string;
  /** Our own certificate, as PEM, where etcd asks for one; needs `keyFile`. */
  readonly certFile?: string;
  /** The key of `certFile`, as PEM. */
  readonly keyFile?: string;
  /** The name that etcd's certificate must have. Default: the host of the endpoint. */
  readonly serverName?: string;
}

/** Who asks etcd, and how safely. All of it stands in files or the environment, and never in a target. */
export interface EtcdCredentials {
  /** Default: none; etcd then knows us by our certificate, or not at all. */
  readonly user?: string;
  readonly password?: string;
  /** A file with the password, read again for each login; one line break at its end does not count. */
  readonly passwordFile?: string;
  /** Default: no TLS. `{}` is TLS with Node's authorities. */
  readonly tls?: EtcdTls;
}

/** Which cluster, and as whom. */
export interface EtcdAccess {
  /** The members of the cluster, `host:port` each; without a port 2379. One is asked at a time, and the next when it fails. */
  readonly endpoints: readonly string[];
  /** Default: what `readEtcdEnvironment` finds. */
  readonly credentials?: EtcdCredentials;
}

/**
 * The credentials in the environment, by the names that etcdctl reads: ETCDCTL_USER (`user` or `user:password`),
 * ETCDCTL_PASSWORD, ETCDCTL_CACERT, ETCDCTL_CERT, ETCDCTL_KEY, ETCDCTL_INSECURE_TRANSPORT (`false` is TLS); and
 * ETCDCTL_PASSWORD_FILE, which etcdctl does not know.
 */
export function readEtcdEnvironment(env: NodeJS.ProcessEnv = process.env): EtcdCredentials {
  const [, user, fromUser] = /^([^:]*)(?::(.*))?$/s.exec(env.ETCDCTL_USER ?? "") ?? [];
  const password = env.ETCDCTL_PASSWORD || fromUser;
  const files = { caFile: env.ETCDCTL_CACERT, certFile: env.ETCDCTL_CERT, keyFile: env.ETCDCTL_KEY };
  const tls = Object.fromEntries(Object.entries(files).filter(([, file]) => file));
  const hasTls = Object.keys(tls).length > 0 || env.ETCDCTL_INSECURE_TRANSPORT === "false";
  return {
    ...(user && { user }),
    ...(password && { password }),
    ...(env.ETCDCTL_PASSWORD_FILE && { passwordFile: env.ETCDCTL_PASSWORD_FILE }),
    ...(hasTls && { tls }),
  };
}

/**
 * Reads the members' addresses.
 *
 * @throws RangeError that names what is wrong
 */
export function parseEtcdEndpoints(endpoints: readonly string[]): readonly Address[] {
  if (endpoints.length === 0) throw new RangeError("endpoints must name at least one member, got none");
  return endpoints.map((text) => {
    // Not repeated: what stands there is meant to be secret.
    if (text.includes("@")) throw new RangeError("endpoints must not carry a user or a password");
    try {
      return parseAddress(text, defaultPort);
    } catch (cause) {
      throw new RangeError(`each of endpoints ${(cause as Error).message}`, { cause });
    }
  });
}

/** @throws RangeError for credentials that cannot be */
export function validateEtcdCredentials(credentials: EtcdCredentials): EtcdCredentials {
  const { user, password, passwordFile, tls } = credentials;
  if (password !== undefined && passwordFile !== undefined) {
    throw new RangeError("credentials: give password or passwordFile, not both");
  }
  const hasPassword = password !== undefined || passwordFile !== undefined;
  if (hasPassword !== (user !== undefined)) throw new RangeError("credentials: user and password go together");
  if ((tls?.certFile === undefined) !== (tls?.keyFile === undefined)) {
    throw new RangeError("credentials: tls.certFile and tls.keyFile go together");
  }
  return credentials;
}

/** The password as it is now. */
export async function readPassword({ password, passwordFile }: EtcdCredentials): Promise<string> {
  return passwordFile === undefined ? (password ?? "") : (await readFile(passwordFile, "utf8")).replace(/\r?\n$/, "");
}

/** The files of TLS as they are now, for a connection to this member; undefined without TLS. */
export async function readTls({ tls }: EtcdCredentials, { host }: Address): Promise<TlsMaterial | undefined> {
  if (!tls) return undefined;
  const read = async (file: string | undefined) => (file === undefined ? undefined : await readFile(file, "utf8"));
  const [ca, cert, key] = await Promise.all([read(tls.caFile), read(tls.certFile), read(tls.keyFile)]);
  return { ca, cert, key, serverName: tls.serverName ?? host };
}
