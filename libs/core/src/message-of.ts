/** The message of a thrown value: that of an `Error` (its name if the message is empty), or the text of anything else. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message || thrown.name : String(thrown);
}
