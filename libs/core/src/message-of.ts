/**
 * The message of a thrown value: that of an `Error` (its name if the message is empty), or the text of anything else. An
 * `AggregateError` without a message, by which Node reports a host with several addresses, has those of its errors. Never throws, so that
 * the handler of a failure does not fail itself.
 */
export function messageOf(thrown: unknown): string {
  if (thrown instanceof AggregateError && thrown.message === "" && Array.isArray(thrown.errors) && thrown.errors[0]) {
    return thrown.errors.map(messageOf).join("; ");
  }
  if (thrown instanceof Error) return thrown.message || thrown.name;
  try {
    return String(thrown);
  } catch {
    return Object.prototype.toString.call(thrown); // an object without toString, or whose toString throws
  }
}
