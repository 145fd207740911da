import type { Subscription } from "./subscription.ts";

/** How many names the streams of a server may have, each of them. */
export interface NameLimits {
  /** Over all types. */
  readonly maxSubscriptions: number;
  /** Of all names together. */
  readonly maxNameCharacters: number;
}

/** The longest name of a resource or a type, in characters. */
const maxNameLength = 4_096;

/** Why a name is not taken; undefined if it is. */
export function problemOfName(what: string, { length }: string): string | undefined {
  return length > maxNameLength
    ? `${what} has ${length} characters, and at most ${maxNameLength} are taken`
    : undefined;
}

/** Why the names of a request are not even looked at. */
export function problemOfRequest(names: readonly string[], { maxSubscriptions }: NameLimits): string | undefined {
  for (const name of names) {
    const problem = problemOfName("the name of a resource", name);
    if (problem !== undefined) return problem;
  }
  if (names.length <= maxSubscriptions) return undefined;
  const count = new Set(names).size; // delta names what it resumes twice
  return count > maxSubscriptions ? tooMany(count, maxSubscriptions) : undefined;
}

/** Why a stream may not have as many names as it has. */
export function problemOfStream(
  subscriptions: readonly Subscription[],
  { maxSubscriptions, maxNameCharacters }: NameLimits,
): string | undefined {
  let [count, characters] = [0, 0];
  for (const { kept } of subscriptions) {
    count += kept.count;
    characters += kept.characters;
  }
  if (count > maxSubscriptions) return tooMany(count, maxSubscriptions);
  if (characters <= maxNameCharacters) return undefined;
  return `the names of the stream have ${characters} characters in all, and at most ${maxNameCharacters} are taken`;
}

const tooMany = (count: number, max: number) => `the stream subscribes to ${count} names, and at most ${max} are taken`;
