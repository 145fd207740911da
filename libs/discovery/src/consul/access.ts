import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import type { Clock } from "@grpc-lb/core";
import { isHostName } from "../core/address.ts";
import { DiscoveryError } from "../core/discovery-error.ts";
import type { Address } from "../core/snapshot.ts";

/** How a TLS connection to the agent is made. The files are read again at most every 60 s, so they may be replaced at any time. */
export interface ConsulTls {
  /** Who may have signed the agent's certificate, as PEM. Default: the authorities that Node trusts. */
  readonly caFile?: string;
  /** Our own certificate, as PEM, where the agent asks for one; needs `keyFile`. */
  readonly certFile?: string;
  /** The key of `certFile`, as PEM. */
  readonly keyFile?: string;
  /** The name that the agent's certificate must have. Default: the agent's host. */
  readonly serverName?: string;
}

/** Who asks the agent, and how safely. All of it stands in files or the environment, and never in a target. */
export interface ConsulCredentials {
  /** An ACL token, sent as X-Consul-Token and told to nobody else. Default: none, and Consul knows us as anonymous. */
  readonly token?: string;
  /** A file with the token, in place of `token`; read again at most every 60 s, and as soon as the agent refuses. */
  readonly tokenFile?: string;
  /** Default: plain HTTP. `{}` is TLS with Node's authorities. */
  readonly tls?: ConsulTls;
}

/** Which agent, and as whom. */
export interface ConsulAccess {
  readonly agent: Address;
  readonly credentials: ConsulCredentials;
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
  };
}

/** What strconv.ParseBool of Go takes for true, as `consul` reads its environment. */
const truths = ["1", "t", "T", "TRUE", "true", "True"];

/**
 * The credentials in the environment, by the names that the `consul` command reads
 * (https://developer.hashicorp.com/consul/commands#environment-variables): CONSUL_HTTP_TOKEN_FILE, else CONSUL_HTTP_TOKEN;
 * CONSUL_HTTP_SSL (true is TLS, and without it the others do nothing), CONSUL_CACERT, CONSUL_CLIENT_CERT, CONSUL_CLIENT_KEY,
 * CONSUL_TLS_SERVER_NAME.
 */
export function readConsulEnvironment(env: NodeJS.ProcessEnv = process.env): ConsulCredentials {
  const { CONSUL_HTTP_TOKEN: token, CONSUL_HTTP_TOKEN_FILE: tokenFile } = env;
  const who = tokenFile ? { tokenFile } : token ? { token } : {};
  if (!truths.includes(env.CONSUL_HTTP_SSL ?? "")) return who;
  const material = {
    caFile: env.CONSUL_CACERT,
    certFile: env.CONSUL_CLIENT_CERT,
    keyFile: env.CONSUL_CLIENT_KEY,
    serverName: env.CONSUL_TLS_SERVER_NAME,
  };
  return { ...who, tls: Object.fromEntries(Object.entries(material).filter(([, value]) => value)) };
}

/** @throws RangeError for an agent or credentials that cannot be; it repeats no secret */
export function validateConsulAccess({ agent, credentials }: ConsulAccess): ConsulAccess {
  const { token, tokenFile, tls } = credentials;
  if (isIP(agent.host) === 0 && !isHostName(agent.host)) {
    throw new RangeError(`agent.host must be a host name or an address without brackets, got "${agent.host}"`);
  }
  if (!(Number.isInteger(agent.port) && agent.port >= 1 && agent.port <= 65_535)) {
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

const rereadAfterMs = 60_000;

/** The token and the certificates behind the credentials, as they stand in their files now or did a minute ago. */
export class CredentialFiles {
  readonly #credentials: ConsulCredentials;
  readonly #clock: Clock;
  #known: { readonly read: ReadCredentials; readonly atMs: number } | undefined;

  constructor(credentials: ConsulCredentials, clock: Clock) {
    this.#credentials = credentials;
    this.#clock = clock;
  }

  /** What is known may not be trusted, as after a refusal: the next reading is of the files themselves. */
  distrust(): void {
    this.#known = undefined;
  }

  /** @throws DiscoveryError `target` that names the file which cannot be read */
  async read(): Promise<ReadCredentials> {
    const { token, tokenFile, tls } = this.#credentials;
    const known = this.#known;
    if (known && this.#clock.now() - known.atMs < rereadAfterMs) return known.read;
    const files = [tokenFile, tls?.caFile, tls?.certFile, tls?.keyFile];
    const [fromFile, ca, cert, key] = await Promise.all(files.map(readText));
    const read = { token: fromFile?.trim() || token, tls: { ca, cert, key, servername: tls?.serverName } };
    this.#known = { read, atMs: this.#clock.now() };
    return read;
  }
}

async function readText(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new DiscoveryError("notFound", `consul: read the credentials: ${(cause as Error).message}`, { cause });
  }
}
