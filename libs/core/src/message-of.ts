/**
 * The message of a thrown value: that of an `Error` (its name if the message is empty), or the text of anything else. Never
 * throws, so that the handler of a failure does not fail itself.
 */
export function messageOf(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.message || thrown.name;
  try {
    return String(thrown);
  } catch {
    return Object.prototype.toString.call(thrown); // an object without toString, or whose toString throws
  }
}
