import { bracketHost, type Context, checkOptions, messageOf, readTextFile, systemClock } from "@grpc-lb/core";
import { DiscoveryError } from "../core/discovery-error.ts";
import type { ApiAccess, Credentials } from "./api-client.ts";

const defaultFolder = "/var/run/secrets/kubernetes.io/serviceaccount";
/** The kubelet replaces the token when 80 % of its life is over; a minute is far below what is left then. */
const rereadAfterMs = 60_000;

/** Whether this process runs in a pod that knows its API server. */
export function isInCluster(env: NodeJS.ProcessEnv = process.env): boolean {
  return Boolean(env.KUBERNETES_SERVICE_HOST && env.KUBERNETES_SERVICE_PORT);
}

/** Where the service account of a pod is. */
export interface ServiceAccountOptions {
  /** With KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT. Default: `process.env`. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  /** With `token`, `ca.crt` and `namespace`. Default: `/var/run/secrets/kubernetes.io/serviceaccount`. */
  readonly folder?: string | undefined;
}

/**
 * Access by the pod's service account. Token and certificate authority are read again at most once a minute, and at once
 * when the server refused the token, because the kubelet replaces them while the pod runs.
 *
 * @throws DiscoveryError when the files are not there (`automountServiceAccountToken: false`)
 */
export function createServiceAccountAccess(options: ServiceAccountOptions = {}): Promise<ApiAccess> {
  return createServiceAccountAccessIn(options, {});
}

/** The same in any context. */
export async function createServiceAccountAccessIn(
  options: ServiceAccountOptions,
  { clock = systemClock }: Context,
): Promise<ApiAccess> {
  checkOptions("createServiceAccountAccess", options, { env: "object", folder: "string" });
  const { env = process.env, folder = defaultFolder } = options;
  const host = env.KUBERNETES_SERVICE_HOST ?? "";
  const server = new URL(`https://${bracketHost(host)}:${env.KUBERNETES_SERVICE_PORT}`);
  const read = async (name: string) => {
    try {
      return (await readTextFile(`${folder}/${name}`)).trim();
    } catch (cause) {
      const advice = "is automountServiceAccountToken false? A kubeconfig (KUBECONFIG) is used first";
      const message = `kubernetes: cannot read the service account's ${name}: ${messageOf(cause)}; ${advice}`;
      throw new DiscoveryError("permissionDenied", message, { cause });
    }
  };

  let known: { readonly credentials: Credentials; readonly readMs: number } | undefined;
  return {
    server,
    namespace: await read("namespace"),
    async credentials(afterDenial) {
      if (!known || afterDenial || clock.now() - known.readMs >= rereadAfterMs) {
        try {
          const [token, ca] = await Promise.all([read("token"), read("ca.crt")]);
          known = { credentials: { headers: { authorization: `Bearer ${token}` }, tls: { ca } }, readMs: clock.now() };
        } catch (error) {
          if (!known || afterDenial) throw error; // what was good a minute ago most likely still is
        }
      }
      return known.credentials;
    },
  };
}
