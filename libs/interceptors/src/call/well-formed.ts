/**
 * Makes a status one that grpc-js can send. It throws for half of a surrogate pair, as at the end of a text that was cut: then the call would
 * never end, or the process would.
 *
 * @param details those that grpc-js would send: the status's own, or the message of its error
 */
export function withWellFormedDetails<Status extends object>(status: Status, details: unknown): Status {
  if (typeof details !== "string" || details.isWellFormed()) return status;
  return { ...status, details: details.toWellFormed() };
}
