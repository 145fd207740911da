import type { Snapshot } from "@grpc-lb/discovery";

/**
 * Why there is no endpoint to use, in words that name the service. An error that explains it (no such service, no such port,
 * nothing ever learned) is the whole reason; one that merely comes with it (the server is away, the rights are gone) is said
 * beside it.
 */
export function whyNone({ subject, endpoints, error }: Snapshot): string {
  const none = `${subject} has no ready endpoints`;
  if (!error) return none;
  const isReason = error.code === "notFound" || error.code === "portNotFound" || endpoints === undefined;
  return isReason ? error.message : `${none}; ${error.message}`;
}
