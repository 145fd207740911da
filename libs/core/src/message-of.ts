/** What a thrown value says: the message of an `Error` (its name if that is empty), the text of anything else. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message || thrown.name : String(thrown);
}
