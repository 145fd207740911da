import { formatDuration, maxDurationMs, messageOf, parseDuration } from "@grpc-lb/core";

/** The parameters of a target, `name=value&name=value`. Each may occur once, except those that are read by `texts`. */
export class Parameters {
  readonly #values = new Map<string, string[]>();
  readonly #wrong: (why: string) => RangeError;

  /** @throws RangeError for an escape that is not valid */
  constructor(query: string, wrong: (why: string) => RangeError) {
    this.#wrong = wrong;
    for (const part of query.split("&")) {
      if (part === "") continue;
      const at = part.indexOf("=");
      const name = unescapeText(at < 0 ? part : part.slice(0, at), wrong);
      const value = at < 0 ? "" : unescapeText(part.slice(at + 1), wrong, `the value of ${name}`);
      const values = this.#values.get(name);
      if (values) values.push(value);
      else this.#values.set(name, [value]);
    }
  }

  get names(): string[] {
    return [...this.#values.keys()];
  }

  /** All its values, in their order. */
  texts(name: string): readonly string[] {
    const values = this.#values.get(name) ?? [];
    if (values.includes("")) throw this.#wrong(`the parameter ${name} is empty`);
    return values;
  }

  text(name: string): string | undefined {
    const values = this.texts(name);
    if (values.length > 1) throw this.#wrong(`the parameter ${name} stands more than once`);
    return values[0];
  }

  choice<const C extends string>(name: string, choices: readonly C[]): C | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const choice = choices.find((each) => each === text);
    if (choice === undefined) {
      const list = choices.join(", ").replace(/, ([^,]*)$/, " or $1");
      throw this.#wrong(`${name} must be ${list}, got "${text}"`);
    }
    return choice;
  }

  /** True for `name` and `name=true`, false for `name=false`. */
  truth(name: string): boolean | undefined {
    if (this.#values.get(name)?.join() === "") return true;
    const choice = this.choice(name, ["true", "false"]);
    return choice === undefined ? undefined : choice === "true";
  }

  integer(name: string, { min }: { readonly min: number }): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const number = Number(text);
    if (!/^\d+$/.test(text) || number < min || !Number.isSafeInteger(number)) {
      throw this.#wrong(`${name} must be a whole number >= ${min}, got "${text}"`);
    }
    return number;
  }

  /** In milliseconds. */
  durationMs(
    name: string,
    { minMs, maxMs = maxDurationMs }: { readonly minMs: number; readonly maxMs?: number },
  ): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    let ms: number;
    try {
      ms = parseDuration(text);
    } catch (error) {
      throw this.#wrong(`${name} ${messageOf(error)}`);
    }
    if (ms < minMs) throw this.#wrong(`${name} must be at least ${formatDuration(minMs)}, got "${text}"`);
    if (ms > maxMs) throw this.#wrong(`${name} must be at most ${formatDuration(maxMs)}, got "${text}"`);
    return ms;
  }
}

/**
 * Decodes %-escapes. A plus is a plus.
 *
 * @param what names the text in the error, where the text may be secret
 */
export function unescapeText(text: string, wrong: (why: string) => RangeError, what = `"${text}"`): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw wrong(`${what} has a % that begins no escape; % itself is written %25`); // the URIError has no detail
  }
}
