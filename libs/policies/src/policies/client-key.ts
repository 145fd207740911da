import { hostname, networkInterfaces } from "node:os";

/** What distinguishes this client from others; a parameter for tests. */
export interface ClientIdentity {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly hostname: string;
  /** Its first address that is not loopback. */
  readonly address: string | undefined;
}

const thisClient: ClientIdentity = {
  env: process.env,
  hostname: hostname(),
  get address() {
    const all = Object.values(networkInterfaces()).flat();
    return all.find((address) => address && !address.internal)?.address;
  },
};

/** The keys that a client has for its lifetime. */
export type ClientKeyKind = "pod_uid" | "hostname" | "address";

/** The client's key of one kind: a pod's uid comes from the Downward API as POD_UID; an unknown one is replaced by the next best. */
export function readHashKey(kind: ClientKeyKind, { env, hostname, address }: ClientIdentity = thisClient): string {
  if (kind === "pod_uid") return env.POD_UID || env.POD_NAME || hostname;
  if (kind === "address") return env.POD_IP || address || hostname;
  return hostname;
}

/**
 * The key by which `subset` distinguishes clients: the environment's POD_UID, else POD_NAME, else HOSTNAME, else the host's name.
 * Processes on one host that set neither of the first two count as one client.
 */
export function readSubsetKey({ env, hostname }: Pick<ClientIdentity, "env" | "hostname"> = thisClient): string {
  return env.POD_UID || env.POD_NAME || env.HOSTNAME || hostname;
}
