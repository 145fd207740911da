/** Why the content of a file cannot be used, and where. */
export class ContentError extends Error {
  override readonly name = "ContentError";
  /** From 1; undefined where it is not known. */
  readonly line: number | undefined;

  constructor(line: number | undefined, message: string, options?: ErrorOptions) {
    super(message, options);
    this.line = line;
  }
}
