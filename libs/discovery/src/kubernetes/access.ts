import { type Clock, systemClock } from "@grpc-lb/core";
import { DiscoveryError } from "../core/discovery-error.ts";
import type { ApiAccess } from "./api-client.ts";
import { createKubeconfigAccessIn } from "./kubeconfig.ts";
import { createServiceAccountAccessIn, isInCluster } from "./service-account.ts";

let ofThisProcess: Promise<ApiAccess> | undefined;

/**
 * The access of this process, in kubectl's order: the files of KUBECONFIG, `~/.kube/config`, and in a pod the service account.
 * Found once; a failure is not kept, so that the next watch tries again.
 */
export function findAccess(clock: Clock = systemClock): Promise<ApiAccess> {
  ofThisProcess ??= createDefaultAccess({ clock }).catch((error) => {
    ofThisProcess = undefined;
    throw error;
  });
  return ofThisProcess;
}

/** What `findAccess` keeps. @throws DiscoveryError for a kubeconfig that is there and cannot be used, or when there is nothing */
export async function createDefaultAccess(options: {
  readonly clock: Clock;
  /** Of the service account. */
  readonly folder?: string;
}): Promise<ApiAccess> {
  const { clock, folder } = options;
  try {
    return await createKubeconfigAccessIn(undefined, { clock });
  } catch (error) {
    const isMissing = error instanceof DiscoveryError && error.code === "notFound";
    if (!isMissing || !isInCluster()) throw error;
    return createServiceAccountAccessIn({ folder }, { clock });
  }
}
