import type { Clock } from "@grpc-lb/core";
import { errors, type JWTVerifyGetKey } from "jose";
import { guardCallback, ignore } from "../call/guard-callback.ts";
import type { KeySource } from "./key-source.ts";
import { readKeys } from "./read-keys.ts";

/** From that age on, keys are read again in the background. */
const refreshMs = 600_000;
/**
 * From that age on, keys are not used any more. An outage of the issuer must not take calls down; but it must end at some time, because an issuer
 * that cannot be reached cannot withdraw a key.
 */
const graceMs = 86_400_000;
/** How soon after a read the source is read again: for an unknown key, for a wrong signature, and after a failure. */
const cooldownMs = 5_000;

const known = new WeakMap<KeySource, Keys>();

/** Finds the key of a token, by the rules of `KeySource`. */
export function createKeys(source: KeySource, clock: Clock): Keys {
  const keys = known.get(source) ?? new Keys(source, clock);
  known.set(source, keys);
  return keys;
}

/** The keys of a source. */
export class Keys {
  readonly #source: KeySource;
  readonly #clock: Clock;
  readonly #report: (message: string) => void;
  #find: JWTVerifyGetKey | undefined;
  /** When `#find` was read, and when the last read ended. */
  #readMs = Number.NEGATIVE_INFINITY;
  #triedMs = Number.NEGATIVE_INFINITY;
  /** Why the last read failed. */
  #problem: Error | undefined;
  #reading: Promise<void> | undefined;

  constructor(source: KeySource, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
    this.#report = guardCallback((message: string) => source.onProblem?.(message), ignore);
  }

  readonly find: JWTVerifyGetKey = async (header, token) => {
    const isOld = this.#clock.now() - this.#readMs >= refreshMs;
    const reading = isOld ? this.#refresh() : undefined;
    if (!this.#usable) await reading;
    try {
      return await this.#current(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      await this.#refresh();
      if (this.#problem) throw this.#problem; // the issuer may have the key
      return this.#current(header, token);
    }
  };

  /** The keys that were read last, to be compared with those of another time. */
  get version(): unknown {
    return this.#find;
  }

  /**
   * Reads the source again for a signature that is wrong by the keys of `version`: one without the id of a key, or with one that is used
   * again, may be of a new key. Resolves to whether there are other keys now.
   */
  async renew(version: unknown): Promise<boolean> {
    if (this.#find === version) await this.#refresh();
    return this.#find !== version;
  }

  get #usable(): JWTVerifyGetKey | undefined {
    return this.#clock.now() - this.#readMs < graceMs ? this.#find : undefined;
  }

  get #current(): JWTVerifyGetKey {
    const find = this.#usable;
    if (!find) throw this.#problem;
    return find;
  }

  /** Reads the source unless it was read a moment ago. Never rejects. */
  async #refresh(): Promise<void> {
    if (!this.#reading && this.#clock.now() - this.#triedMs < cooldownMs) return;
    this.#reading ??= this.#read();
    await this.#reading;
  }

  async #read(): Promise<void> {
    const before = this.#problem;
    try {
      this.#find = await readKeys(this.#source, this.#clock);
      this.#readMs = this.#clock.now();
      this.#problem = undefined;
    } catch (error) {
      this.#problem = error as Error;
    }
    this.#triedMs = this.#clock.now();
    this.#reading = undefined;
    if (this.#problem && this.#problem.message !== before?.message) this.#report(this.#problem.message);
  }
}
