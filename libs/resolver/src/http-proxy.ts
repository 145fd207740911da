/** In the order in which grpc-js looks; it takes the first that is set, and no other spelling. */
const variables = ["grpc_proxy", "https_proxy", "http_proxy"] as const;

/**
 * What to say when this environment makes grpc-js send calls to an HTTP proxy; undefined when it does not. The variable's
 * value is not repeated, as it may hold a password.
 *
 * @param schemes that are registered
 */
export function warnOfProxy(env: NodeJS.ProcessEnv, schemes: readonly string[] = ["kubernetes"]): string | undefined {
  const variable = variables.find((name) => env[name]);
  // grpc-js speaks to http: proxies alone, and passes over any other value.
  if (variable === undefined || URL.parse(env[variable] ?? "")?.protocol !== "http:") return undefined;
  const names = schemes.map((scheme) => `${scheme}:`).join(", ");
  return (
    `${variable} is set: grpc-js hands ${names} targets without a port, or with a number for a port, to that proxy ` +
    'and resolves nothing; give their channels "grpc.enable_http_proxy": 0, or name the services in no_grpc_proxy or no_proxy'
  );
}
