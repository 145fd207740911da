import type { Snapshot } from "@grpc-lb/discovery";

/** Why there is no endpoint to use, in words that name the service. */
export function whyNone({ subject, endpoints, error }: Snapshot): string {
  const none = `${subject} has no ready endpoints`;
  if (!error) return none;
  // A port that the service lacks, or a source that never learned anything, is the whole reason.
  return error.code === "port" || endpoints === undefined ? error.message : `${none}; ${error.message}`;
}
