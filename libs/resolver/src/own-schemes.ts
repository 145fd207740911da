import { describeType } from "@grpc-lb/core";
import { type Source, targetSchemes } from "@grpc-lb/discovery";
import { createRegistered } from "./grpc-js.ts";
import { toAuthority } from "./schemes.ts";

/**
 * Creates the source of a target, such as one of `defineSource`. It is called when a channel starts; channels share a run if their sources
 * have the same key. What it throws is the error of the channel's calls.
 *
 * @param target as the user wrote it: `inventory:///server`
 */
export type CreateSource = (target: string) => Source;

/** The schemes that calls of `registerResolvers` have added. */
const registered = new Set<string>();

/** @throws TypeError unless each value is a function; RangeError for a scheme that is not valid, or in use by others */
export function requireOwnSchemes(sources: Readonly<Record<string, CreateSource>>): void {
  for (const [scheme, createSource] of Object.entries(sources)) {
    if (typeof createSource !== "function") {
      throw new TypeError(`registerResolvers: sources.${scheme} must be a function, got ${describeType(createSource)}`);
    }
    const wrong = (why: string) => new RangeError(`registerResolvers: sources: the scheme "${scheme}" ${why}`);
    if (!/^[a-z][a-z0-9+.-]*$/.test(scheme)) throw wrong("must be lower-case letters, digits, +, . and -");
    const isOfOthers = !registered.has(scheme) && createRegistered(scheme) !== undefined;
    if (isOfOthers || (targetSchemes as readonly string[]).includes(scheme)) throw wrong("has a resolver already");
  }
}

/** Marks a scheme as one that `registerResolvers` has added, and may replace. */
export function recordOwnScheme(scheme: string): void {
  registered.add(scheme);
}

/** The same function, which throws if the result is not a source. */
export function checkedSource(scheme: string, createSource: CreateSource): CreateSource {
  return (target) => {
    const source: Partial<Source> | undefined = createSource(target);
    if (typeof source?.subscribe === "function") return source as Source;
    throw new TypeError(`sources.${scheme} of registerResolvers must return a source, got ${describeType(source)}`);
  };
}

/** The authority of a target: the last part of its path, without port and parameters. */
export function ownAuthority(scheme: string, path: string): string {
  return toAuthority(path.replace(/\?.*$/s, "").replace(/:[^/:]*$/, ""), scheme);
}
