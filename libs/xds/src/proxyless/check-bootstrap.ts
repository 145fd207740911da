import { type Json, list, object, readBootstrapOf } from "../client/bootstrap.ts";

/** What grpc-js-xds 1.14 connects to a control plane by; it uses the first that it knows. */
const known: readonly unknown[] = ["insecure", "google_default"];

/**
 * Checks that grpc-js-xds can use the bootstrap, because with one that it cannot, each call fails with "Cannot read properties of null".
 * Without one in the environment there is nothing to check.
 *
 * @throws RangeError that names the variable and the field
 */
export function checkBootstrap(env: NodeJS.ProcessEnv): void {
  readBootstrapOf(env, ({ xds_servers, node }) => {
    const servers = list(xds_servers, "xds_servers").map((each, n) => object(each, `xds_servers[${n}]`));
    if (servers.length === 0) throw new RangeError("xds_servers must have the control plane");
    for (const [n, server] of servers.entries()) checkServer(server, `xds_servers[${n}]`);
    const { id, locality } = object(node, "node");
    if (typeof id !== "string") throw new RangeError("node.id must be text");
    if (locality === undefined) throw new RangeError("node.locality is missing, which grpc-js-xds wants, empty or not");
    object(locality, "node.locality");
  });
}

function checkServer({ server_uri: uri, channel_creds: credentials }: Json, at: string): void {
  if (typeof uri !== "string") throw new RangeError(`${at}.server_uri must be text`);
  const types = list(credentials, `${at}.channel_creds`).map(
    (each) => object(each, `an entry of ${at}.channel_creds`).type,
  );
  if (types.some((type) => known.includes(type))) return;
  const tls = types.includes("tls") ? "; xds://host:port/name, which takes endpoints alone, connects by tls" : "";
  throw new RangeError(`${at}.channel_creds must have an entry of type ${known.join(" or ")} for grpc-js-xds${tls}`);
}
