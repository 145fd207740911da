import type { Dispatcher } from "undici";

type Options = Dispatcher.DispatchOptions;
type Headers = NonNullable<Options["headers"]>;

/** Options of a request as they can be sent to any endpoint, and more than once. */
export interface RequestOptions extends Omit<Options, "origin" | "headers"> {
  /** That of the caller's URL, not of the endpoint. */
  readonly origin: URL;
  readonly headers: Headers;
}

/**
 * Reads the options of a request, and sets `Host` to the URL's host unless the caller gave that header. Headers that can be
 * read only once are read here.
 *
 * @throws TypeError for a URL or headers that are not valid
 */
export function readRequestOptions(options: Options): RequestOptions {
  const origin = new URL(options.origin ?? "http://localhost");
  const headers = options.headers ?? {};
  return { ...options, origin, headers: options.origin === undefined ? headers : withHost(headers, origin.host) };
}

function withHost(headers: Headers, host: string): Headers {
  // Pairs become a list: an object would lose repeated names.
  const list = Array.isArray(headers) ? headers : isIterable(headers) ? ([...headers].flat() as string[]) : undefined;
  if (list) return hasHost(list.filter((_, i) => i % 2 === 0)) ? list : ["host", host, ...list];
  return hasHost(Object.keys(headers)) ? headers : { host, ...headers };
}

const hasHost = (names: readonly unknown[]): boolean => names.some((name) => String(name).toLowerCase() === "host");

function isIterable(value: object): value is Iterable<[string, string | string[] | undefined]> {
  return Symbol.iterator in value;
}
