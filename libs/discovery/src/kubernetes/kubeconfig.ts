import { existsSync } from "node:fs";
import { delimiter } from "node:path";
import { type Clock, systemClock } from "@grpc-lb/core";
import { DiscoveryError } from "../core/discovery-error.ts";
import type { ApiAccess, Credentials } from "./api-client.ts";
import { endPluginBy } from "./exec-plugin.ts";
import { SingleFlight } from "./single-flight.ts";

/** A plugin may ask a person, in a browser; one that has not answered by then is ended, so that the next may do better. */
const giveUpAfterMs = 60_000;

/**
 * Access by the current context of a kubeconfig, as kubectl would have it: client certificates, tokens, exec plugins, OIDC.
 * That part is @kubernetes/client-node's, which is loaded here and only here, because it costs 250 ms and 90 MB. An exec plugin
 * is run once for all who ask meanwhile, and ended when they all have gone, or after a minute. A server that speaks plain HTTP
 * (`kubectl proxy`) is sent no credentials, and none are looked for.
 *
 * @param path the file; absent, those of KUBECONFIG that exist, the first to name a current context deciding, or `~/.kube/config`
 * @throws DiscoveryError when there is no usable context
 */
export async function createKubeconfigAccess(
  path?: string,
  options: { readonly clock?: Clock } = {},
): Promise<ApiAccess> {
  const { clock = systemClock } = options;
  const { KubeConfig } = await import("@kubernetes/client-node").catch((cause) => {
    const message = "kubernetes: a kubeconfig needs the package @kubernetes/client-node, which is not installed here";
    throw new DiscoveryError("notFound", message, { cause });
  });
  const load = () => {
    const config = new KubeConfig();
    const [first, ...others] = path === undefined ? listedFiles() : [path];
    try {
      if (first === undefined) config.loadFromDefault();
      else config.loadFromFile(first);
      for (const file of others) {
        const other = new KubeConfig();
        other.loadFromFile(file);
        config.mergeConfig(other, Boolean(config.currentContext));
      }
    } catch (cause) {
      const message = `kubernetes: cannot read the kubeconfig: ${(cause as Error).message}`;
      throw new DiscoveryError("notFound", message, { cause });
    }
    return config;
  };

  let config = load();
  const cluster = config.getCurrentCluster();
  const name = config.getCurrentContext();
  if (!cluster) {
    const wanted = name
      ? `the kubeconfig's context "${name}" names no cluster`
      : "the kubeconfig has no current context";
    throw new DiscoveryError("notFound", `kubernetes: ${wanted}`);
  }
  // Without any file client-node makes up a cluster on this machine, which would only fail less clearly.
  if (path === undefined && name === "loaded-context" && cluster.server === "http://localhost:8080") {
    throw new DiscoveryError("notFound", "kubernetes: there is no kubeconfig (KUBECONFIG, ~/.kube/config) and no pod");
  }
  if (cluster.proxyUrl) {
    throw new DiscoveryError("notFound", `kubernetes: context "${name}" has a proxy-url, which is not supported`);
  }
  if (!URL.canParse(cluster.server)) {
    throw new DiscoveryError("notFound", `kubernetes: context "${name}" has no URL for a server: "${cluster.server}"`);
  }
  const read = async (afterDenial: boolean, isBackground: boolean, signal: AbortSignal): Promise<Credentials> => {
    const options: Parameters<typeof config.applyToHTTPSOptions>[0] & { headers?: Record<string, string> } = {};
    try {
      // The file may bring another token, and a plugin's token is kept by the configuration that asked for it.
      if (afterDenial) {
        config = load();
        config.setCurrentContext(name);
      }
      endPluginBy(signal, config, isBackground);
      await config.applyToHTTPSOptions(options); // an exec plugin is run again when its token has expired
    } catch (cause) {
      const message = `kubernetes: the credentials of context "${name}": ${(cause as Error).message}`;
      throw new DiscoveryError("permissionDenied", message, { cause });
    }
    const { headers = {}, auth, ca, cert, key, passphrase, servername, rejectUnauthorized } = options;
    const basic = auth ? { authorization: `Basic ${Buffer.from(auth).toString("base64")}` } : {};
    const given = { ca, cert, key, passphrase, servername, rejectUnauthorized };
    const tls = Object.fromEntries(Object.entries(given).filter(([, value]) => value != null)) as Credentials["tls"];
    return { headers: { ...basic, ...headers }, tls };
  };

  const server = new URL(cluster.server);
  const [known, anew] = [
    new SingleFlight<Credentials>(clock, giveUpAfterMs),
    new SingleFlight<Credentials>(clock, giveUpAfterMs),
  ];
  return {
    server,
    namespace: config.getContextObject(name)?.namespace ?? "default",
    async credentials(afterDenial, signal) {
      // As kubectl does: what is secret is not sent in the clear.
      if (server.protocol === "http:") return { headers: {}, tls: {} };
      const work = (ending: AbortSignal) => read(afterDenial, signal !== undefined, ending);
      return (afterDenial ? anew : known).do(work, signal);
    },
  };
}

/** The files that KUBECONFIG lists, without those that are not there, as kubectl takes them; none when it is not set. */
function listedFiles(): readonly string[] {
  const { KUBECONFIG: list } = process.env;
  if (!list) return [];
  const files = list.split(delimiter).filter((file) => file !== "" && existsSync(file));
  if (files.length > 0) return files;
  throw new DiscoveryError("notFound", `kubernetes: none of the files of KUBECONFIG exists: ${list}`);
}
