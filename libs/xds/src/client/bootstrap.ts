import { readFileSync } from "node:fs";
import { describeReadFailure, requireFileName, showFileName } from "@grpc-lb/core";
import { validateXdsCredentials, type XdsCredentials, type XdsTls } from "./credentials.ts";
import type { XdsNode } from "./node.ts";

/** What the environment says of control planes. */
export interface XdsEnvironment {
  readonly node: XdsNode;
  readonly credentials: XdsCredentials;
  /** One line, when the bootstrap has credentials but none for this control plane; undefined otherwise. */
  readonly warning?: string;
}

/** An object of JSON that is not checked yet. */
export type Json = Readonly<Record<string, unknown>>;

/** The text in a bootstrap file is small; a larger one is something else. */
const maxBytes = 1_048_576;

/**
 * Reads gRPC's bootstrap (https://github.com/grpc/grpc/blob/master/doc/grpc_xds_bootstrap_format.md): the file that
 * GRPC_XDS_BOOTSTRAP names, else the JSON in GRPC_XDS_BOOTSTRAP_CONFIG. It takes `node`, and from the entry of `xds_servers` whose
 * `server_uri` is the control plane's the `channel_creds` (`insecure`; `tls` with `ca_certificate_file`, `certificate_file`,
 * `private_key_file`; the first that is known) and the `call_creds` (`jwt_token_file`, gRFC A97). `host:port`, `dns:///host:port` and
 * `ipv4:host:port` are the same server. Without an entry of the control plane, or with neither variable: no TLS, no token.
 *
 * @param server the control plane: `host:18000`
 * @throws RangeError for a bootstrap that cannot be read; it names the variable
 */
export function readXdsEnvironment(server: string, env: NodeJS.ProcessEnv = process.env): XdsEnvironment {
  const read = (bootstrap: Json, variable: string) => readBootstrap(bootstrap, server, variable);
  return readBootstrapOf(env, read) ?? { node: {}, credentials: {} };
}

/**
 * Reads gRPC's bootstrap with a function, which gets its JSON and the name of the variable; undefined if the environment has none.
 *
 * @throws RangeError with what the function throws; it names the variable and its file
 */
export function readBootstrapOf<T>(
  { GRPC_XDS_BOOTSTRAP: file, GRPC_XDS_BOOTSTRAP_CONFIG: config }: NodeJS.ProcessEnv,
  read: (bootstrap: Json, variable: string) => T,
): T | undefined {
  if (!file && !config) return undefined;
  const variable = file ? "GRPC_XDS_BOOTSTRAP" : "GRPC_XDS_BOOTSTRAP_CONFIG";
  try {
    return read(object(JSON.parse(file ? readSmallFile(file) : (config ?? "")), "it"), variable);
  } catch (cause) {
    // A syntax error would repeat a part of the text.
    const reason = cause instanceof SyntaxError ? "it is not valid JSON" : describeReadFailure(cause);
    throw new RangeError(`${variable}${file ? ` ${showFileName(file)}` : ""}: ${reason}`);
  }
}

function readSmallFile(file: string): string {
  requireFileName(file);
  const bytes = readFileSync(file);
  if (bytes.length > maxBytes) throw new RangeError(`it has more than ${maxBytes} bytes`);
  return bytes.toString();
}

function readBootstrap(bootstrap: Json, server: string, variable: string): XdsEnvironment {
  const servers = list(bootstrap.xds_servers, "xds_servers").map((each, n) => object(each, `xds_servers[${n}]`));
  const node = readNode(object(bootstrap.node, "node"));
  const address = normalizeServer(server);
  const own = servers.find(({ server_uri: uri }) => typeof uri === "string" && normalizeServer(uri) === address);
  if (own) {
    const credentials = {
      tls: readChannelCredentials(own.channel_creds),
      tokenFile: readCallCredentials(own.call_creds),
    };
    validateXdsCredentials(credentials);
    return { node, credentials };
  }
  // Credentials for one control plane must not go to another.
  if (!servers.some(hasCredentials)) return { node, credentials: {} };
  const warning = `${variable}: no entry of xds_servers has the server_uri ${server}, so there is no TLS and no token for it`;
  return { node, credentials: {}, warning };
}

function hasCredentials({ channel_creds: channel, call_creds: call }: Json): boolean {
  return [channel, call].some((list) => Array.isArray(list) && list.some((each) => each?.type !== "insecure"));
}

/** The host and port of a target of gRPC in one form: that of `dns:///b:2` is `b:2`. */
function normalizeServer(uri: string): string {
  const address = uri.replace(/^(dns|passthrough):(\/\/[^/]*\/)?|^ipv[46]:/i, "");
  const [, host = address, port = "443"] = /^(.*):(\d+)$/.exec(address) ?? [];
  try {
    return `${new URL(`http://${decodeURIComponent(host)}`).hostname}:${Number(port)}`;
  } catch {
    return address; // of another kind, such as a path of a socket
  }
}

function readNode(node: Json): XdsNode {
  const locality = object(node.locality, "node.locality");
  return {
    ...(node.id !== undefined && { id: text(node.id, "node.id") }),
    cluster: text(node.cluster, "node.cluster"),
    locality: {
      region: text(locality.region, "node.locality.region"),
      zone: text(locality.zone, "node.locality.zone"),
      subZone: text(locality.sub_zone, "node.locality.sub_zone"),
    },
    metadata: object(node.metadata, "node.metadata"),
  };
}

function readChannelCredentials(value: unknown): XdsTls | undefined {
  const all = list(value, "channel_creds").map((each) => object(each, "an entry of channel_creds"));
  const known = all.find(({ type }) => type === "tls" || type === "insecure");
  if (!known) {
    if (all.length === 0) return undefined;
    throw new RangeError("channel_creds must have an entry of type tls or insecure");
  }
  if (known.type === "insecure") return undefined;
  const config = object(known.config, "the config of channel_creds tls");
  return {
    caFile: text(config.ca_certificate_file, "ca_certificate_file"),
    certFile: text(config.certificate_file, "certificate_file"),
    keyFile: text(config.private_key_file, "private_key_file"),
  };
}

function readCallCredentials(value: unknown): string | undefined {
  const all = list(value, "call_creds").map((each) => object(each, "an entry of call_creds"));
  const known = all.find(({ type }) => type === "jwt_token_file");
  return known && text(object(known.config, "the config of call_creds").jwt_token_file, "jwt_token_file");
}

/** An object of the bootstrap; empty when it is absent. @throws RangeError that names it by `what` */
export function object(value: unknown, what: string): Json {
  if (value === undefined) return {};
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Json;
  throw new RangeError(`${what} must be an object`);
}

/** A list of the bootstrap; empty when it is absent. @throws RangeError that names it by `what` */
export function list(value: unknown, what: string): readonly unknown[] {
  if (value === undefined) return [];
  if (Array.isArray(value)) return value;
  throw new RangeError(`${what} must be a list`);
}

function text(value: unknown, what: string): string | undefined {
  if (value === undefined || typeof value === "string") return value;
  throw new RangeError(`${what} must be text`);
}
