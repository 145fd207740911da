/** What became of the configurations that were read, for metrics. */
export class ConfigStatus {
  readonly #wallMs: () => number;
  #appliedMs: number | undefined;
  #rejections = 0;
  #isRejected = false;

  /** @param wallMs milliseconds since 1970. Default: the machine's */
  constructor(wallMs: () => number = Date.now) {
    this.#wallMs = wallMs;
  }

  /** When the one in use was applied, in milliseconds since 1970; undefined before the first. */
  get appliedMs(): number | undefined {
    return this.#appliedMs;
  }

  /** How many were wrong. */
  get rejections(): number {
    return this.#rejections;
  }

  /** Whether the newest one is wrong, so that an older one is in use. */
  get isRejected(): boolean {
    return this.#isRejected;
  }

  onApplied(): void {
    this.#appliedMs = this.#wallMs();
    this.#isRejected = false;
  }

  onRejected(): void {
    this.#rejections += 1;
    this.#isRejected = true;
  }
}
