import { readTextFile, redactTarget } from "@grpc-lb/core";
import type { TlsMaterial } from "@grpc-lb/xds/channel";
import { formatAddress, isLoopback, parseAddress } from "../core/address.ts";
import type { Address } from "../core/snapshot.ts";

const defaultPort = 2379;

/** How a TLS connection to etcd is made. The files are read for each connection, so they may be replaced at any time. */
export interface EtcdTls {
  /** The authorities that may have signed etcd's certificate, as PEM. Default: those that Node trusts. */
  readonly caFile?: string;
  /** The client's certificate, as PEM, where etcd requires one; needs `keyFile`. */
  readonly certFile?: string;
  /** The key of `certFile`, as PEM. */
  readonly keyFile?: string;
  /** The name that etcd's certificate must have. Default: the host of the endpoint. */
  readonly serverName?: string;
}

/** How a client authenticates, and the security of its connections. It comes from files or the environment, never from a target. */
export interface EtcdCredentials {
  /** Default: none; etcd then takes the user from the client's certificate, if there is one. */
  readonly user?: string;
  /** Without TLS it is sent in clear: that is warned of once, unless all members are on loopback. */
  readonly password?: string;
  /** A file with the password, read for each login; a line break at its end is left out. */
  readonly passwordFile?: string;
  /** Default: no TLS. `{}` is TLS with Node's authorities. */
  readonly tls?: EtcdTls;
}

/** Which cluster, and with which credentials. */
export interface EtcdAccess {
  /** The members of the cluster, `host:port` each; default port 2379. One is used at a time, the next one when it fails. */
  readonly endpoints: readonly string[];
  /** Default: those of `readEtcdEnvironment`. */
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
    // The text is not repeated: it may contain a password.
    if (/@|%40/.test(text)) throw new RangeError("endpoints must not carry a user or a password");
    try {
      return parseAddress(text, defaultPort);
    } catch {
      // The RangeError repeats the text, whatever it is.
      throw new RangeError(
        `each of endpoints must be host:port, an IPv6 host in brackets, got "${showEndpoint(text)}"`,
      );
    }
  });
}

/** An endpoint as an error may repeat it: of a text that may be `user:password` or a URL, what can be no secret. */
function showEndpoint(text: string): string {
  const isAddress = text.length <= 300 && /^(?:[\w.-]+:\d+|[\da-f:.[\]]*)$/i.test(text);
  return isAddress ? text : redactTarget(text, { isKnown: false, parameters: [] });
}

/** @throws RangeError for credentials that are not valid */
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

const warned = new Set<string>();

/** Emits a warning, once a process and cluster, when a password would be sent in clear over a network. */
export function warnOfPlainPassword(members: readonly Address[], { user, tls }: EtcdCredentials): void {
  const exposed = members.filter(({ host }) => !isLoopback(host));
  const cluster = exposed.map(formatAddress).join(",");
  if (user === undefined || tls || exposed.length === 0 || warned.has(cluster)) return;
  warned.add(cluster);
  const message = `etcd: the password of user ${user} is sent to ${cluster} without TLS; set credentials.tls or ETCDCTL_CACERT`;
  process.emitWarning(message, { type: "GrpcLbWarning" });
}

/** The password as it is now. */
export async function readPassword({ password, passwordFile }: EtcdCredentials, signal?: AbortSignal): Promise<string> {
  return passwordFile === undefined
    ? (password ?? "")
    : (await readTextFile(passwordFile, { signal })).replace(/\r?\n$/, "");
}

/** The TLS files as they are now, for a connection to this member; undefined without TLS. */
export async function readTls(
  { tls }: EtcdCredentials,
  { host }: Address,
  signal?: AbortSignal,
): Promise<TlsMaterial | undefined> {
  if (!tls) return undefined;
  const read = async (file: string | undefined) =>
    file === undefined ? undefined : await readTextFile(file, { signal });
  const [ca, cert, key] = await Promise.all([read(tls.caFile), read(tls.certFile), read(tls.keyFile)]);
  return { ca, cert, key, serverName: tls.serverName ?? host };
}
