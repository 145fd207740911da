/** The shortest part of a secret that is searched for, in characters: any part of twice that length contains one. */
const pieceLength = 16;

/** Searches texts for secrets, and for parts of them. */
export class SecretSearch {
  /** The name of each piece's secret. */
  readonly #pieces = new Map<string, string>();
  readonly #names = new Set<string>();

  /** The names of the secrets. */
  get names(): readonly string[] {
    return [...this.#names];
  }

  /**
   * Adds a secret: the lines of a key in PEM, a token in base64, or text without spaces. The frame of PEM and the header of a JWT, which many
   * have alike, are none.
   *
   * @throws RangeError for a secret that is shorter than a piece
   */
  add(name: string, secret: string): void {
    const isJwt = /^ey[\w-]+\.ey[\w-]+\./.test(secret);
    const lines = secret
      .trim()
      .split(isJwt ? "." : /\s+/)
      .slice(isJwt ? 1 : 0);
    const parts = lines.filter((line) => line.length >= pieceLength && !/^-----/.test(line));
    if (parts.length === 0) throw new RangeError(`${name} is too short to be searched for`);
    this.#names.add(name);
    for (const part of parts) {
      for (let at = 0; at + pieceLength <= part.length; at += pieceLength)
        this.#pieces.set(part.slice(at, at + pieceLength), name);
      this.#pieces.set(part.slice(-pieceLength), name);
    }
  }

  /** The names of the secrets of which the text has a piece. */
  find(text: string): readonly string[] {
    const found = new Set<string>();
    for (const [run] of text.matchAll(/[\w+/=-]+/g)) {
      for (let at = 0; at + pieceLength <= run.length; at++) {
        const name = this.#pieces.get(run.slice(at, at + pieceLength));
        if (name !== undefined) found.add(name);
      }
    }
    return [...found];
  }
}
