import { messageOf } from "@grpc-lb/core";
import { ProgramError } from "@grpc-lb/program";
import { isProxyless } from "./target.ts";

/** The environment variables that gRPC clients find their control plane by: a file, or its content (gRFC A27). */
const bootstrapVariables = ["GRPC_XDS_BOOTSTRAP", "GRPC_XDS_BOOTSTRAP_CONFIG"] as const;

/**
 * Loads gRPC's own xDS client if the target is one of its own, `xds:///name`; for others it costs nothing. It must be called before
 * other resolvers are registered.
 *
 * @param policy the policy that the user chose; undefined for none
 * @throws ProgramError with exit code 2 without a bootstrap, for one that the client cannot use, and for a policy, which the control
 * plane chooses
 */
export async function loadProxyless(
  target: string,
  policy: string | undefined,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<void> {
  if (!isProxyless(target)) return;
  if (policy !== undefined) {
    throw new ProgramError(`${target} takes its policy from the control plane; leave ${policy} out`, { exitCode: 2 });
  }
  if (!bootstrapVariables.some((name) => env[name])) {
    const variables = bootstrapVariables.join(" or ");
    throw new ProgramError(`${target} needs the control plane in ${variables}; or name it: xds://host:18000/name`, {
      exitCode: 2,
    });
  }
  const { registerProxyless } = await import("@grpc-lb/xds/proxyless");
  try {
    await registerProxyless();
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new ProgramError(`${target}: ${messageOf(cause)}`, { cause, exitCode: 2 });
  }
}
