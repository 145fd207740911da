import { type Clock, messageOf } from "@grpc-lb/core";
import { type CredentialFiles, type Credentials, readCredentials } from "./credentials.ts";

/** How files are reloaded, and what is called when their credentials change or cannot be used. */
export interface ReloadOptions {
  readonly clock: Clock;
  /** Milliseconds since 1970, which certificates expire by. Default: the machine's. */
  readonly wallMs?: () => number;
  /** How often the files are read, in milliseconds. Default: 5 s. */
  readonly intervalMs?: number;
  /** Called when other credentials are in use. */
  readonly onReload?: (credentials: Credentials) => void;
  /** Called with the reason why the files are not used, or that the certificate in use has expired; once for each reason. */
  readonly onProblem?: (message: string) => void;
}

/**
 * Credentials from files that another program replaces, such as cert-manager or the kubelet. The files are read from time to time: a
 * watch would miss changes on network file systems, and a Secret's mount changes within a minute anyway. Files that cannot be used
 * (half written, a key of another certificate, expired) leave the credentials that there are.
 */
export class ReloadingCredentials {
  readonly #files: CredentialFiles;
  readonly #options: ReloadOptions;
  readonly #listeners = new Set<(credentials: Credentials) => void>();
  readonly #closing = new AbortController();
  readonly #closed: Promise<void>;
  #current: Credentials;
  #problem: string | undefined;

  private constructor(files: CredentialFiles, current: Credentials, options: ReloadOptions) {
    this.#files = files;
    this.#current = current;
    this.#options = options;
    this.#closed = this.#run();
  }

  /**
   * Reads the files for the first time.
   *
   * @throws CredentialError when they cannot be used
   */
  static async open(files: CredentialFiles, options: ReloadOptions): Promise<ReloadingCredentials> {
    const { wallMs = Date.now } = options;
    return new ReloadingCredentials(files, await readCredentials(files, wallMs()), options);
  }

  /** The credentials in use. The same object until they change. */
  get current(): Credentials {
    return this.#current;
  }

  /** Calls `listener` each time the credentials have changed, until `close`. */
  onChange(listener: (credentials: Credentials) => void): void {
    this.#listeners.add(listener);
  }

  /** Calls `listener` now and after each change with when the own certificate expires, in milliseconds since 1970. */
  followExpiry(listener: (expiresMs: number | undefined) => void): void {
    listener(this.#current.expiresMs);
    this.onChange(({ expiresMs }) => listener(expiresMs));
  }

  /** Ends reading; when it has resolved, no listener is called. The last credentials stay. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#closed;
  }

  async #run(): Promise<void> {
    const { clock, intervalMs = 5_000 } = this.#options;
    const { signal } = this.#closing;
    if (Object.values(this.#files).every((file) => file === undefined)) return;
    for (;;) {
      await clock.sleep(intervalMs, signal, { background: true });
      if (signal.aborted) return;
      await this.#refresh(signal);
    }
  }

  async #refresh(signal: AbortSignal): Promise<void> {
    const { wallMs = Date.now, onReload } = this.#options;
    let next: Credentials;
    try {
      next = await readCredentials(this.#files, wallMs());
    } catch (error) {
      if (!signal.aborted) this.#report(messageOf(error));
      return;
    }
    if (signal.aborted) return;
    this.#problem = undefined;
    const { cert, key, ca } = this.#current;
    if (next.cert === cert && next.key === key && next.ca === ca) return;
    this.#current = next;
    for (const listener of this.#listeners) listener(next);
    onReload?.(next);
  }

  #report(problem: string): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    this.#options.onProblem?.(problem);
  }
}
