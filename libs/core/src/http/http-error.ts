/** A peer's answer that cannot be used; its message says why. */
export class HttpError extends Error {
  override readonly name = "HttpError";
}
