import { readdir, stat } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import { type Clock, isPortNumber, messageOf, readTextFile, redactAddress } from "@grpc-lb/core";
import { formatAddress, isHostName, isLoopback } from "../core/address.ts";
import { DiscoveryError } from "../core/discovery-error.ts";
import type { Address } from "../core/snapshot.ts";

/** How a TLS connection to the agent is made. The files are read again at most every 60 s, so they may be replaced at any time. */
export interface ConsulTls {
  /** The authorities that may have signed the agent's certificate, as PEM. Default: those that Node trusts. */
  readonly caFile?: string;
  /** A folder with such files, and nothing else; used where there is no `caFile`. */
  readonly caPath?: string;
  /** The client's certificate, as PEM, where the agent requires one; needs `keyFile`. */
  readonly certFile?: string;
  /** The key of `certFile`, as PEM. */
  readonly keyFile?: string;
  /** The name that the agent's certificate must have. Default: the agent's host. */
  readonly serverName?: string;
  /** Whether the agent's certificate is verified. Without it anyone between may read the token. Default: true. */
  readonly verify?: boolean;
}

/** How a client authenticates, and the security of its connections. It comes from files or the environment, never from a target. */
export interface ConsulCredentials {
  /**
   * An ACL token, sent as X-Consul-Token. Without TLS it is sent in clear: a warning says so once, unless the agent is on
   * loopback. Default: none; Consul then takes the client for anonymous.
   */
  readonly token?: string;
  /** A file with the token, in place of `token`; read again at most every 60 s, and as soon as the agent refuses. */
  readonly tokenFile?: string;
  /** `user:password` of HTTP basic authentication, for a proxy in front of the agent. Default: none. */
  readonly basicAuth?: string;
  /** Default: plain HTTP. `{}` is TLS with Node's authorities. */
  readonly tls?: ConsulTls;
}

/** Which agent, and with which credentials. */
export interface ConsulAccess {
  readonly agent: Address;
  readonly credentials: ConsulCredentials;
}

/** The part of a Consul Enterprise cluster that a service is in. */
export interface ConsulTenancy {
  /** Default: CONSUL_NAMESPACE, else that of the token. */
  readonly namespace?: string | undefined;
  /** The admin partition. Default: CONSUL_PARTITION, else that of the agent. */
  readonly partition?: string | undefined;
}

/** What one request is made with. */
export interface ReadCredentials {
  readonly token: string | undefined;
  /** As in the options of node:https. */
  readonly tls: {
    readonly ca?: string | undefined;
    readonly cert?: string | undefined;
    readonly key?: string | undefined;
    readonly servername?: string | undefined;
    readonly rejectUnauthorized?: boolean;
  };
}

/** What strconv.ParseBool of Go accepts, as `consul` reads its environment. */
const truths = ["1", "t", "T", "TRUE", "true", "True"];
const falsehoods = ["0", "f", "F", "FALSE", "false", "False"];

/**
 * The credentials in the environment, by the names that the `consul` command reads
 * (https://developer.hashicorp.com/consul/commands#environment-variables): CONSUL_HTTP_TOKEN_FILE, else CONSUL_HTTP_TOKEN;
 * CONSUL_HTTP_AUTH; CONSUL_CACERT, else CONSUL_CAPATH; CONSUL_CLIENT_CERT, CONSUL_CLIENT_KEY, CONSUL_TLS_SERVER_NAME,
 * CONSUL_HTTP_SSL_VERIFY.
 *
 * Connections use TLS if CONSUL_HTTP_SSL is true or CONSUL_HTTP_ADDR begins with `https://`; and, unless one of the two says
 * otherwise, if a file of certificates is named. Of CONSUL_HTTP_ADDR nothing else is used.
 */
export function readConsulEnvironment(env: NodeJS.ProcessEnv = process.env): ConsulCredentials {
  const { CONSUL_HTTP_TOKEN: token, CONSUL_HTTP_TOKEN_FILE: tokenFile, CONSUL_HTTP_AUTH: basicAuth } = env;
  const { CONSUL_HTTP_ADDR: address = "", CONSUL_HTTP_SSL: ssl = "", CONSUL_HTTP_SSL_VERIFY: verify = "" } = env;
  const files = present({
    caFile: env.CONSUL_CACERT,
    caPath: env.CONSUL_CAPATH,
    certFile: env.CONSUL_CLIENT_CERT,
    keyFile: env.CONSUL_CLIENT_KEY,
  });
  const isPlain = falsehoods.includes(ssl) || /^http:\/\//i.test(address);
  const hasTls = truths.includes(ssl) || /^https:\/\//i.test(address) || (!isPlain && Object.keys(files).length > 0);
  return {
    ...present({ tokenFile, token: tokenFile ? undefined : token, basicAuth }),
    ...(hasTls && {
      tls: {
        ...files,
        ...present({ serverName: env.CONSUL_TLS_SERVER_NAME }),
        ...(falsehoods.includes(verify) && { verify: false }),
      },
    }),
  };
}

/** Namespace and partition, where not given those of the environment: CONSUL_NAMESPACE and CONSUL_PARTITION. */
export function resolveTenancy(
  { namespace, partition }: ConsulTenancy,
  env: NodeJS.ProcessEnv = process.env,
): ConsulTenancy {
  for (const [name, text] of Object.entries({ namespace, partition })) {
    if (text === "") throw new RangeError(`${name} must not be empty`);
  }
  return {
    namespace: namespace ?? (env.CONSUL_NAMESPACE || undefined),
    partition: partition ?? (env.CONSUL_PARTITION || undefined),
  };
}

/** Without what is absent or empty. */
function present<K extends string>(values: Readonly<Record<K, string | undefined>>): { readonly [P in K]?: string } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value)) as { [P in K]?: string };
}

/** A path with a query; of a parameter that is undefined nothing, and of one that is true its name. */
export function withQuery(
  path: string,
  parameters: readonly (readonly [name: string, value: string | true | undefined])[],
): string {
  const query = parameters
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => (value === true ? name : `${name}=${escapeText(value ?? "")}`));
  return query.length === 0 ? path : `${path}?${query.join("&")}`;
}

/** Writes text in a path or a query; a lone surrogate, which no name has, becomes U+FFFD. */
export function escapeText(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

/** @throws RangeError for an agent or credentials that are not valid; it contains no secret */
export function validateConsulAccess({ agent, credentials }: ConsulAccess): ConsulAccess {
  const { token, tokenFile, tls } = credentials;
  if (isIP(agent.host) === 0 && !isHostName(agent.host)) {
    const shown = redactAddress(agent.host);
    throw new RangeError(`agent.host must be a host name or an address without brackets, got "${shown}"`);
  }
  if (!isPortNumber(agent.port)) {
    throw new RangeError(`agent.port must be from 1 to 65535, got ${agent.port}`);
  }
  if (token !== undefined && tokenFile !== undefined) {
    throw new RangeError("credentials: give token or tokenFile, not both");
  }
  if ((tls?.certFile === undefined) !== (tls?.keyFile === undefined)) {
    throw new RangeError("credentials: tls.certFile and tls.keyFile go together");
  }
  return { agent, credentials };
}

const warned = new Set<string>();

/** Emits a warning, once a process and agent, when a token or password would be sent in clear over a network. */
export function warnOfPlainSecrets({ agent, credentials }: ConsulAccess): void {
  const { token, tokenFile, basicAuth, tls } = credentials;
  const what = token || tokenFile ? "the token" : basicAuth ? "the password" : undefined;
  const name = formatAddress(agent);
  if (what === undefined || tls || isLoopback(agent.host) || warned.has(name)) return;
  warned.add(name);
  const message = `consul: ${what} is sent to ${name} without TLS; set credentials.tls, CONSUL_HTTP_SSL or CONSUL_CACERT`;
  process.emitWarning(message, { type: "GrpcLbWarning" });
}

const rereadAfterMs = 60_000;

/** The token and the certificates that the credentials name, at most 60 s old. */
export class CredentialFiles {
  readonly #credentials: ConsulCredentials;
  readonly #clock: Clock;
  #known: { readonly read: ReadCredentials; readonly atMs: number } | undefined;

  constructor(credentials: ConsulCredentials, clock: Clock) {
    this.#credentials = credentials;
    this.#clock = clock;
  }

  /** Makes the next `read` read the files, as after a refusal. */
  invalidate(): void {
    this.#known = undefined;
  }

  /** @throws DiscoveryError `notFound` that names the file or folder that cannot be read */
  async read(): Promise<ReadCredentials> {
    const { token, tokenFile, tls } = this.#credentials;
    const known = this.#known;
    if (known && this.#clock.now() - known.atMs < rereadAfterMs) return known.read;
    const files = [tokenFile, tls?.caFile, tls?.certFile, tls?.keyFile];
    const [fromFile, caFile, cert, key] = await Promise.all(files.map(readText));
    const ca = caFile ?? (await readFolder(tls?.caPath));
    const read = {
      token: fromFile?.trim() || token,
      tls: { ca, cert, key, servername: tls?.serverName, rejectUnauthorized: tls?.verify ?? true },
    };
    this.#known = { read, atMs: this.#clock.now() };
    return read;
  }
}

async function readText(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  try {
    return await readTextFile(file);
  } catch (cause) {
    throw describeUnreadable(cause);
  }
}

/** All files below a folder, joined; also those that it links to, as in a mounted Secret. */
async function readFolder(folder: string | undefined): Promise<string | undefined> {
  if (folder === undefined) return undefined;
  try {
    const paths = (await readdir(folder, { recursive: true })).map((name) => join(folder, name)).sort();
    const texts = await Promise.all(paths.map(async (path) => ((await stat(path)).isFile() ? readTextFile(path) : "")));
    return texts.filter((text) => text !== "").join("\n");
  } catch (cause) {
    throw describeUnreadable(cause);
  }
}

function describeUnreadable(cause: unknown): DiscoveryError {
  return new DiscoveryError("notFound", `consul: read the credentials: ${messageOf(cause)}`, { cause });
}
