import { type Context, checkOptions, messageOf, systemClock } from "@grpc-lb/core";
import { DiscoveryError } from "../core/discovery-error.ts";
import type { ApiAccess, Credentials } from "./api-client.ts";
import { findProxy } from "./environment-proxy.ts";
import { impersonation, KubeconfigCredentials } from "./kubeconfig-credentials.ts";
import { type Entry, quote } from "./kubeconfig-entry.ts";
import { type KubeconfigContext, readKubeconfig } from "./kubeconfig-file.ts";
import { SingleFlight } from "./single-flight.ts";

/** A plugin may wait for a login in a browser. One without an answer by then is ended, so that the next may do better. */
const pluginTimeoutMs = 60_000;

/**
 * Access by a context of a kubeconfig, as kubectl has it: tokens, token files, client certificates, exec plugins,
 * OIDC, impersonation, proxies. An exec plugin runs once for all callers that wait for it, and ends when they all have gone, or
 * after a minute. The file is read again when the server refuses the credentials. A server of plain HTTP (`kubectl proxy`)
 * gets no credentials, and none are read.
 *
 * @param path the file. Default: those of KUBECONFIG that exist, of which the first to set a name wins, else `~/.kube/config`
 * @param contextName the context. Default: the current one
 * @throws DiscoveryError `notFound` without a file or a current context, `invalid` for a context that cannot be used
 */
export function createKubeconfigAccess(path?: string, contextName?: string): Promise<ApiAccess> {
  return createKubeconfigAccessIn(path, {}, contextName);
}

/** The same in any context. */
export async function createKubeconfigAccessIn(
  path: string | undefined,
  { clock = systemClock }: Context,
  contextName?: string,
): Promise<ApiAccess> {
  checkOptions("createKubeconfigAccess", { path, contextName }, { path: "string", contextName: "string" });
  let context = await readKubeconfig(path, contextName);
  const { name, namespace, cluster } = context;
  const server = readServer(context);
  const given = new URL(server); // with its user and password
  server.username = "";
  server.password = "";
  let credentials = new KubeconfigCredentials(context, clock);

  const reload = async () => {
    context = await readKubeconfig(path, name);
    if (readServer(context).href !== given.href) {
      throw context.cluster.error("the file has another server now; this one needs a restart");
    }
    credentials = new KubeconfigCredentials(context, clock, credentials);
  };
  const read = async (afterDenial: boolean, background: boolean, signal: AbortSignal): Promise<Credentials> => {
    try {
      if (afterDenial) await reload();
      const { headers, tls } = await credentials.read({ background }, signal);
      if (given.username === "" && given.password === "") return { headers, tls };
      // As in Go, where the URL wins over the user.
      const pair = `${decodeURIComponent(given.username)}:${decodeURIComponent(given.password)}`;
      return { headers: { ...headers, authorization: `Basic ${Buffer.from(pair).toString("base64")}` }, tls };
    } catch (cause) {
      const message = `kubernetes: the credentials of context ${quote(name)}: ${messageOf(cause).replace(/^kubernetes: /, "")}`;
      throw new DiscoveryError("permissionDenied", message, { cause });
    }
  };

  const [cached, fresh] = [
    new SingleFlight<Credentials>(clock, pluginTimeoutMs),
    new SingleFlight<Credentials>(clock, pluginTimeoutMs),
  ];
  return {
    server,
    namespace,
    proxy: readProxy(cluster, server),
    async credentials(afterDenial, signal) {
      if (server.protocol === "http:") return { headers: impersonation(context.user), tls: {} };
      const work = (ending: AbortSignal) => read(afterDenial, signal !== undefined, ending);
      return (afterDenial ? fresh : cached).do(work, signal);
    },
  };
}

/** The server's URL. The error does not repeat it: there may be a password in it. */
function readServer({ cluster, user }: KubeconfigContext): URL {
  const written = cluster.text("server");
  if (written === undefined) throw cluster.error("server is required");
  const text = /^[^/?#@]+$/.test(written) ? `${hasTls(cluster, user) ? "https" : "http"}://${written}` : written;
  const [, scheme] = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text) ?? [];
  if (scheme !== undefined && !/^https?$/i.test(scheme)) {
    throw cluster.error(`the server's scheme must be https or http, got "${scheme}"`);
  }
  if (scheme === undefined || !URL.canParse(text)) throw cluster.error("server is not a URL such as https://host:6443");
  return new URL(text);
}

/** Whether a server without a scheme is reached by TLS, as client-go has it (`DefaultServerURL`). */
function hasTls(cluster: Entry, user: Entry): boolean {
  const ofCluster = ["certificate-authority", "certificate-authority-data"].some((name) => cluster.text(name));
  const ofUser = ["client-certificate", "client-certificate-data"].some((name) => user.text(name));
  return ofCluster || ofUser || cluster.flag("insecure-skip-tls-verify");
}

/** The cluster's own proxy, else that of the environment. */
function readProxy(cluster: Entry, server: URL): URL | undefined {
  const own = cluster.text("proxy-url");
  const text = own ?? findProxy(server, process.env);
  if (text === undefined) return undefined;
  const what = own === undefined ? "the proxy of the environment" : "proxy-url";
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^https?:$/.test(url.protocol) && url.hostname !== "") return url;
  throw cluster.error(
    `${what} must be an http:// or https:// URL${url?.protocol.startsWith("socks") ? ", got socks" : ""}`,
  );
}
