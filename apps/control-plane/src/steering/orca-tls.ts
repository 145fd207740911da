import { openClientTls, type ReloadingCredentials } from "@grpc-lb/operations/tls";
import { ProgramError } from "@grpc-lb/program";

/**
 * Opens the credentials for the load reports of endpoints; undefined for reports in clear. Endpoints that want a certificate of their
 * client get that of the control plane.
 *
 * @param onProblem called with the reason when changed files cannot be used
 * @throws ProgramError with exit code 2 for files that cannot be used, and for flags that need another
 */
export async function openOrcaTls(
  flags: {
    readonly orcaCa: string;
    readonly orcaServerName: string;
    readonly tlsCert: string;
    readonly tlsKey: string;
  },
  onProblem: (reason: string) => void,
): Promise<ReloadingCredentials | undefined> {
  const { orcaCa: tlsCa, orcaServerName: serverName, tlsCert, tlsKey } = flags;
  if (tlsCa !== "") return openClientTls({ tls: true, tlsCa, tlsCert, tlsKey, serverName }, { onProblem });
  if (serverName !== "") {
    throw new ProgramError("--orca-server-name has no effect without --orca-ca", { exitCode: 2 });
  }
  return undefined;
}
