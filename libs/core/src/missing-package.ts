/**
 * Makes the error for a package that is needed and not installed: it names the package and the command that installs it.
 *
 * @param error what importing threw
 * @param user who needs it, for the message: `@grpc-lb/discovery/etcd`
 * @param ranges the packages that may be missing, with the versions that work
 * @returns the new error, or `error` itself when it is about something else
 */
export function describeMissingPackage(
  error: unknown,
  user: string,
  ranges: Readonly<Record<string, string>>,
): unknown {
  const { code, message = "" } = (error ?? {}) as { readonly code?: string; readonly message?: string };
  if (code !== "MODULE_NOT_FOUND" && code !== "ERR_MODULE_NOT_FOUND") return error;
  // Node, jest and Yarn's Plug'n'Play each have their own words for it.
  const [, specifier = ""] = /(?:Cannot find (?:module|package)|tried to access) '?([^'\s(,]+)/.exec(message) ?? [];
  const name = Object.keys(ranges).find((one) => specifier === one || specifier.startsWith(`${one}/`));
  if (name === undefined) return error;
  return new Error(`${user} needs the package ${name}: npm install "${name}@${ranges[name]}"`, { cause: error });
}
