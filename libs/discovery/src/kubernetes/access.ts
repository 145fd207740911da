import { type Clock, systemClock } from "@grpc-lb/core";
import type { ApiAccess } from "./api-client.ts";
import { createKubeconfigAccess } from "./kubeconfig.ts";
import { createServiceAccountAccess, isInCluster } from "./service-account.ts";

let ofThisProcess: Promise<ApiAccess> | undefined;

/**
 * The access that this process has: the service account in a pod, else the kubeconfig. Found once; a failure is not kept, so
 * that the next watch looks again.
 */
export function findAccess(clock: Clock = systemClock): Promise<ApiAccess> {
  ofThisProcess ??= (
    isInCluster() ? createServiceAccountAccess({ clock }) : createKubeconfigAccess(undefined, { clock })
  ).catch((error) => {
    ofThisProcess = undefined;
    throw error;
  });
  return ofThisProcess;
}
