import type { Clock } from "@grpc-lb/core";
import type { Credentials } from "./api-client.ts";
import { type ExecCredential, runExecPlugin } from "./exec-plugin.ts";
import type { Entry } from "./kubeconfig-entry.ts";
import type { KubeconfigContext } from "./kubeconfig-file.ts";
import { OidcTokens } from "./oidc.ts";

/** As client-go's token source. */
const rereadAfterMs = 60_000;

type Headers = Record<string, string | readonly string[]>;
interface Files {
  readonly token: string | undefined;
  readonly tls: Credentials["tls"];
  readonly ca: string | undefined;
  readonly readMs: number;
}

/**
 * The credentials of a context's user, as kubectl takes them: its files are read again at most every 60 s, an exec plugin runs
 * again when its answer has expired, and an OIDC token is refreshed.
 */
export class KubeconfigCredentials {
  readonly #cluster: Entry;
  readonly #user: Entry;
  readonly #clock: Clock;
  #files: Files | undefined;
  #plugin: { readonly credential: ExecCredential; readonly dueMs: number } | undefined;
  #oidc: OidcTokens | undefined;

  /** @param previous whose OIDC tokens are kept: the issuer may have taken back the file's refresh token */
  constructor({ cluster, user }: KubeconfigContext, clock: Clock, previous?: KubeconfigCredentials) {
    if (previous) this.#oidc = previous.#oidc;
    this.#cluster = cluster;
    this.#user = user;
    this.#clock = clock;
  }

  /**
   * @param options.background whether an exec plugin does not keep this process alive
   * @param signal ends what runs
   * @throws Error that names the entry and the field
   */
  async read(options: { readonly background: boolean }, signal: AbortSignal): Promise<Credentials> {
    const { token, tls, ca } = await this.#readFiles();
    const headers: Headers = impersonation(this.#user);
    const bearer = token ?? this.#user.text("token")?.trim();
    const name = this.#user.text("username");
    const password = this.#user.text("password");
    const exec = this.#user.child("exec");
    if (bearer !== undefined) {
      headers.authorization = `Bearer ${bearer}`;
    } else if (name !== undefined || password !== undefined) {
      headers.authorization = `Basic ${Buffer.from(`${name ?? ""}:${password ?? ""}`).toString("base64")}`;
    } else if (exec && tls.cert === undefined) {
      const { token, cert, key } = await this.#askPlugin(exec, ca, options.background, signal);
      if (token !== undefined) headers.authorization = `Bearer ${token}`;
      return { headers, tls: { ...tls, ...(cert && key && { cert, key }) } };
    } else {
      const provider = this.#user.child("auth-provider");
      if (provider) headers.authorization = `Bearer ${await this.#readOidc(provider, signal)}`;
    }
    return { headers, tls };
  }

  async #readFiles(): Promise<Files> {
    const known = this.#files;
    if (known && this.#clock.now() - known.readMs < rereadAfterMs) return known;
    try {
      const [ca, cert, key, token] = await Promise.all([
        this.#cluster.certificates("certificate-authority"),
        this.#user.pem("client-certificate"),
        this.#user.pem("client-key"),
        this.#readToken(),
      ]);
      if (cert !== undefined && key === undefined) {
        throw this.#user.error("client-certificate needs client-key");
      }
      const isInsecure = this.#cluster.flag("insecure-skip-tls-verify");
      if (isInsecure && ca !== undefined) {
        throw this.#cluster.error("certificate-authority and insecure-skip-tls-verify exclude each other");
      }
      const servername = this.#cluster.text("tls-server-name");
      const given = { ca, cert, key: cert && key, servername, rejectUnauthorized: isInsecure ? false : undefined };
      const tls = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
      this.#files = { token, tls, ca, readMs: this.#clock.now() };
    } catch (error) {
      if (!known) throw error; // what was good a minute ago most likely still is
      this.#files = { ...known, readMs: this.#clock.now() };
    }
    return this.#files;
  }

  /** The file wins over the field `token`, which is for when the file cannot be read. */
  async #readToken(): Promise<string | undefined> {
    try {
      const token = (await this.#user.file("tokenFile"))?.trim();
      if (token === "") throw this.#user.error("tokenFile: the file is empty");
      return token;
    } catch (error) {
      if (this.#user.text("token") === undefined) throw error;
      return undefined;
    }
  }

  async #askPlugin(exec: Entry, ca: string | undefined, background: boolean, signal: AbortSignal) {
    if (this.#plugin && this.#clock.now() < this.#plugin.dueMs) return this.#plugin.credential;
    const extension = this.#cluster
      .children("extensions")
      .find((one) => one.text("name") === "client.authentication.k8s.io/exec");
    const given = {
      server: this.#cluster.text("server"),
      "tls-server-name": this.#cluster.text("tls-server-name"),
      "insecure-skip-tls-verify": this.#cluster.flag("insecure-skip-tls-verify") || undefined,
      "certificate-authority-data": ca === undefined ? undefined : Buffer.from(ca).toString("base64"),
      "proxy-url": this.#cluster.text("proxy-url"),
      "disable-compression": this.#cluster.flag("disable-compression") || undefined,
      // Null where there is none, as client-go encodes it.
      config: extension?.raw("extension") ?? null,
    };
    const credential = await runExecPlugin(exec, { cluster: given, background }, signal);
    const livesMs = (credential.expiresMs ?? Number.POSITIVE_INFINITY) - Date.now();
    this.#plugin = { credential, dueMs: this.#clock.now() + livesMs };
    return credential;
  }

  #readOidc(provider: Entry, signal: AbortSignal): Promise<string> {
    const name = provider.text("name");
    const config = provider.child("config");
    if (name !== "oidc" || !config) {
      throw provider.error(`${JSON.stringify(name)} is not supported, as in kubectl since 1.26: use an exec plugin`);
    }
    if (!this.#oidc?.isOf(config)) this.#oidc = new OidcTokens(config, this.#clock);
    return this.#oidc.idToken(signal);
  }
}

/**
 * The headers of a user to act as (https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation).
 * They are sent in plain HTTP too: they are no secret.
 */
export function impersonation(user: Entry): Headers {
  const name = user.text("as");
  const groups = user.texts("as-groups");
  const uid = user.text("as-uid");
  const extra = user.entries("as-user-extra", (values, key) => values.texts(key));
  if (name === undefined) {
    if (groups.length > 0 || uid !== undefined || extra.length > 0) {
      throw user.error("as-groups, as-uid and as-user-extra need as");
    }
    return {};
  }
  const headers: Headers = { "impersonate-user": name };
  if (uid !== undefined) headers["impersonate-uid"] = uid;
  if (groups.length > 0) headers["impersonate-group"] = groups;
  for (const [key, values] of extra) {
    if (values.length > 0) headers[`impersonate-extra-${escapeHeaderKey(key)}`] = values;
  }
  return headers;
}

/** client-go's headerKeyEscape: what may not stand in the name of a header, and %, as %XX of its UTF-8. */
function escapeHeaderKey(key: string): string {
  return key.replace(/[^A-Za-z0-9!#$&'*+.^_`|~-]/gu, (character) =>
    [...Buffer.from(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join(""),
  );
}
