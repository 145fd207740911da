import { X509Certificate } from "node:crypto";
import { resolve } from "node:path";
import { messageOf, readTextFile } from "@grpc-lb/core";
import { DiscoveryError } from "../core/discovery-error.ts";

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A name for a message, cut and without control characters. */
export const quote = (name: string) => JSON.stringify(name.slice(0, 100));

/**
 * A cluster, a user or a context of a kubeconfig, whose fields are checked when they are read. Absent, null and "" are the
 * same. Errors name the field and the entry, and never repeat a value: it may be a secret.
 */
export class Entry {
  readonly #what: string;
  readonly #fields: Readonly<Record<string, unknown>>;
  readonly #folder: string;

  /** @param folder of the file: relative paths start there */
  constructor(what: string, fields: Readonly<Record<string, unknown>>, folder: string) {
    this.#what = what;
    this.#fields = fields;
    this.#folder = folder;
  }

  /** An error about this entry. */
  error(reason: string, cause?: unknown): DiscoveryError {
    return new DiscoveryError("invalid", `kubernetes: ${this.#what}: ${reason}`, { cause });
  }

  text(field: string): string | undefined {
    const value = this.#fields[field] ?? "";
    if (typeof value !== "string") throw this.error(`${field} must be a string`);
    return value === "" ? undefined : value;
  }

  flag(field: string): boolean {
    const value = this.#fields[field] ?? false;
    if (typeof value !== "boolean") throw this.error(`${field} must be true or false`);
    return value;
  }

  texts(field: string): readonly string[] {
    const value = this.#fields[field] ?? [];
    if (Array.isArray(value) && value.every((one) => typeof one === "string")) return value;
    throw this.error(`${field} must be a list of strings`);
  }

  /** The names and values of an object; each value is given to `read`. */
  entries<T>(field: string, read: (values: Entry, name: string) => T): readonly (readonly [string, T])[] {
    const value = this.#fields[field] ?? {};
    if (!isObject(value)) throw this.error(`${field} must be an object`);
    const values = new Entry(`${this.#what}: ${field}`, value, this.#folder);
    return Object.keys(value).map((name) => [name, read(values, name)]);
  }

  child(field: string): Entry | undefined {
    const value = this.#fields[field];
    if (value === undefined || value === null) return undefined;
    if (!isObject(value)) throw this.error(`${field} must be an object`);
    return new Entry(`${this.#what}: ${field}`, value, this.#folder);
  }

  children(field: string): readonly Entry[] {
    const value = this.#fields[field] ?? [];
    if (!Array.isArray(value) || !value.every(isObject)) throw this.error(`${field} must be a list of objects`);
    return value.map((one) => new Entry(`${this.#what}: ${field}`, one, this.#folder));
  }

  /** A value of any kind, unchecked. */
  raw(field: string): unknown {
    return this.#fields[field];
  }

  /** The absolute path of a file. */
  path(field: string): string | undefined {
    const value = this.text(field);
    return value === undefined ? undefined : resolve(this.#folder, value);
  }

  /** The text of the file that `field` names. */
  async file(field: string): Promise<string | undefined> {
    const path = this.path(field);
    if (path === undefined) return undefined;
    try {
      return await readTextFile(path);
    } catch (cause) {
      throw this.error(`${field}: ${messageOf(cause)}`, cause);
    }
  }

  /** PEM from the base64 of `field-data`, else from the file that `field` names. */
  async pem(field: string): Promise<string | undefined> {
    const data = this.text(`${field}-data`);
    const pem = data === undefined ? await this.file(field) : Buffer.from(data, "base64").toString();
    if (pem === undefined || /-----BEGIN [A-Z0-9 ]+-----/.test(pem)) return pem;
    throw this.error(`${data === undefined ? field : `${field}-data`} is not valid PEM`);
  }

  /** As `pem`, of certificates that can be read: Node takes any text for a CA, and then trusts nobody. */
  async certificates(field: string): Promise<string | undefined> {
    const pem = await this.pem(field);
    if (pem === undefined) return undefined;
    try {
      new X509Certificate(pem);
    } catch (cause) {
      throw this.error(`${field} is not a valid certificate`, cause);
    }
    return pem;
  }
}
