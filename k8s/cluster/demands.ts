import type { Component } from "./components.ts";
import { type ApiDeployment, describeDeployed } from "./deployed.ts";
import type { Kubectl } from "./kubectl.ts";
import type { Strategy } from "./strategy.ts";

/** With this variable the ports of the server speak TLS and nothing else. */
const tls = "TLS_CERT";
/** With these it demands of each caller a certificate or a token, which a server without them ignores. */
const demands = ["TLS_CLIENT_CA", "AUTH_JWKS"];

/** The variables that components give to the server. */
export const serverVariables: Partial<Record<Component, readonly string[]>> = {
  tls: [tls],
  mtls: [tls, "TLS_CLIENT_CA"],
  "mtls-cert-manager": [tls, "TLS_CLIENT_CA"],
  jwt: ["AUTH_JWKS"],
};

/** Whether clients are replaced before the server, and whether calls fail until both are replaced. */
export interface Replacement {
  readonly clientsFirst: boolean;
  readonly failsCalls: boolean;
}

/**
 * In which order running clients and servers are replaced. Where the server will demand more, the clients give it before; where it will demand
 * less, it is the first. No order helps where TLS comes or goes, or one demand comes and another goes.
 *
 * @param deployed the variables of the server that runs
 * @param isOtherStrategy whether the clients will call in another way, which may need the new server
 */
export function replacementOf(
  deployed: ReadonlySet<string>,
  wanted: readonly Component[],
  isOtherStrategy: boolean,
): Replacement {
  const variables = new Set(wanted.flatMap((component) => serverVariables[component] ?? []));
  const adds = demands.some((name) => variables.has(name) && !deployed.has(name));
  const drops = demands.some((name) => !variables.has(name) && deployed.has(name));
  const failsCalls = variables.has(tls) !== deployed.has(tls) || (adds && (drops || isOtherStrategy));
  return { clientsFirst: adds && !failsCalls, failsCalls };
}

/** The same for what runs in the namespace. */
export async function readReplacement(
  kubectl: Kubectl,
  wanted: readonly Component[],
  strategy: Strategy,
): Promise<Replacement> {
  const { code, stdout } = await kubectl.try(["get", "deployments", "server", "client-grpc", "-o", "json"]);
  if (code !== 0) return { clientsFirst: false, failsCalls: false }; // one of them does not run yet
  const [server, client] = JSON.parse(stdout).items as readonly [ApiDeployment, ApiDeployment];
  const env = server.spec.template.spec.containers.flatMap((container) => container.env ?? []);
  const isOtherStrategy = describeDeployed(client, false).strategy !== strategy;
  return replacementOf(new Set(env.map(({ name }) => name)), wanted, isOtherStrategy);
}
