import { hostname } from "node:os";

/**
 * The name by which this client differs from the others of its kind, and which it keeps for as long as it lives:
 * the environment's POD_UID, else POD_NAME, else HOSTNAME, else the host name. Processes of one host that set none of the
 * first two are one client.
 */
export function readClientKey(
  env: Readonly<Record<string, string | undefined>> = process.env,
  host: () => string = hostname,
): string {
  return env.POD_UID || env.POD_NAME || env.HOSTNAME || host();
}
