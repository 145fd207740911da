import type { Snapshot } from "@grpc-lb/discovery";

/**
 * Why a snapshot has no endpoint to use, in a message that names the service. An error that explains it (no such service, no
 * such port, nothing ever learned) is the whole reason; one that does not (the server is away, a right is missing) follows it.
 */
export function describeNoEndpoints({ subject, endpoints, error }: Snapshot): string {
  const none = `${subject} has no ready endpoints`;
  if (!error) return none;
  const isReason = error.code === "notFound" || error.code === "portNotFound" || endpoints === undefined;
  return isReason ? error.message : `${none}; ${error.message}`;
}
