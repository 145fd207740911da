/** What a value may be. `strings` is a list of strings. */
export type OptionKind = "string" | "number" | "boolean" | "function" | "object" | "list" | "strings";

/**
 * What an option must be: one of some kinds; an object with options of its own; an object whose names are free and whose values are all
 * of a kind; or what a function accepts, which returns undefined, or else what the option must be: `must be …`.
 */
export type OptionRule =
  | OptionKind
  | readonly OptionKind[]
  | { readonly options: OptionRules; readonly required?: readonly string[] }
  | { readonly each: OptionKind }
  | ((value: unknown) => string | undefined);

/** All options that there are. */
export type OptionRules = Readonly<Record<string, OptionRule>>;

const kinds: Readonly<Record<OptionKind, readonly [text: string, test: (value: unknown) => boolean]>> = {
  string: ["a string", (value) => typeof value === "string"],
  number: ["a number", (value) => typeof value === "number"],
  boolean: ["true or false", (value) => typeof value === "boolean"],
  function: ["a function", (value) => typeof value === "function"],
  object: ["an object", isObject],
  list: ["a list", Array.isArray],
  strings: ["a list of strings", (value) => Array.isArray(value) && value.every((one) => typeof one === "string")],
};

/**
 * Checks the options of a function that JavaScript may call, too: a name that is misspelt, or a value of another type, would fail
 * late or be ignored. An option that is undefined counts as absent. Errors never repeat a value, which may be secret.
 *
 * @param where the function, for the message: `createEtcdSource`
 * @param required the options that must be there
 * @throws TypeError `createEtcdSource: service must be a string, got nothing`
 */
export function checkOptions(
  where: string,
  options: unknown,
  rules: OptionRules,
  required: readonly string[] = [],
): void {
  const wrong = (what: string, must: string, value: unknown) =>
    new TypeError(`${where}: ${what} ${must}, got ${describeType(value)}`);
  const check = (given: unknown, path: string, known: OptionRules, needed: readonly string[]): void => {
    if (!isObject(given)) throw wrong(path === "" ? "the options" : path.slice(0, -1), "must be an object", given);
    const values = given as Readonly<Record<string, unknown>>;
    for (const name of Object.keys(values)) {
      if (Object.hasOwn(known, name)) continue;
      const names = Object.keys(known).sort().join(", ");
      throw new TypeError(
        `${where}: unknown option ${path}${name}; ${names === "" ? "there are none" : `known options: ${names}`}`,
      );
    }
    for (const [name, rule] of Object.entries(known)) {
      const value = values[name];
      if (value === undefined && !needed.includes(name)) continue;
      if (typeof rule === "object" && "options" in rule) {
        check(value, `${path}${name}.`, rule.options, rule.required ?? []);
        continue;
      }
      if (typeof rule === "object" && "each" in rule) {
        if (!isObject(value)) throw wrong(`${path}${name}`, "must be an object", value);
        for (const [key, one] of Object.entries(value as object)) {
          const must = describeKinds(rule.each, one);
          if (must !== undefined) throw wrong(`${path}${name}.${key}`, must, one);
        }
        continue;
      }
      const must = typeof rule === "function" ? rule(value) : describeKinds(rule, value);
      if (must !== undefined) throw wrong(`${path}${name}`, must, value);
    }
  };
  check(options, "", rules, required);
}

/** What a value is, in words for an error: `nothing`, `a number`, `a promise`. The value itself may be secret. */
export function describeType(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (value instanceof Promise) return "a promise";
  const type = typeof value;
  return type === "object" ? "an object" : `a ${type}`;
}

function describeKinds(rule: OptionKind | readonly OptionKind[], value: unknown): string | undefined {
  const accepted = typeof rule === "string" ? [rule] : rule;
  if (accepted.some((kind) => kinds[kind][1](value))) return undefined;
  return `must be ${accepted.map((kind) => kinds[kind][0]).join(" or ")}`;
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
