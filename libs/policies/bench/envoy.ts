import { execFileSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { messageOf } from "@grpc-lb/core";
import { watchChild } from "@grpc-lb/program/testing";

/** An Envoy between the client and its servers. */
export interface Envoy {
  /** The output of `envoy --version`. */
  readonly version: string;
  readonly address: string;
  close(): Promise<void>;
}

/** The envoy program: from ENVOY, the PATH or the sandbox; or why there is none. */
export function findEnvoy(): { readonly path: string } | { readonly missing: string } {
  const { ENVOY, PATH = "", GRPC_LB_SANDBOX: sandbox } = process.env;
  if (ENVOY) return isProgram(ENVOY) ? { path: ENVOY } : { missing: `ENVOY=${ENVOY} is not an executable file` };
  const onPath = PATH.split(delimiter).find((folder) => isProgram(join(folder, "envoy")));
  if (onPath !== undefined) return { path: join(onPath, "envoy") };
  if (!sandbox) return { missing: "no envoy on the PATH; set ENVOY=path" };
  try {
    execFileSync(sandbox, ["tool", "envoy"], { stdio: "ignore", timeout: 300_000 });
    const script = 'eval "$("$0" env)" && command -v envoy';
    return { path: execFileSync("sh", ["-c", script, sandbox], { encoding: "utf8" }).trim() };
  } catch (error) {
    return { missing: `the sandbox has no envoy: ${messageOf(error).split("\n")[0]}` };
  }
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false; // not executable
  }
}

/** Starts it with one listener and one worker, as all calls come over one connection. */
export async function startEnvoy(path: string, servers: readonly string[], lbPolicy: "LEAST_REQUEST"): Promise<Envoy> {
  const folder = await mkdtemp(join(tmpdir(), "grpc-lb-envoy-"));
  const [config, adminFile] = [join(folder, "envoy.json"), join(folder, "admin")];
  await writeFile(config, JSON.stringify(configOf(servers, lbPolicy)));
  const flags = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "error"];
  const args = ["--config-path", config, "--admin-address-path", adminFile, ...flags];
  const program = watchChild({ command: path, args, env: {} });
  const close = async () => {
    await program.stop();
    await rm(folder, { recursive: true });
  };
  let exit: unknown;
  program.exited.then(
    (ended) => (exit = ended),
    (error) => (exit = error),
  );
  for (let tries = 0; tries < 200 && exit === undefined; tries++) {
    try {
      const admin = `http://${await readFile(adminFile, "utf8")}`;
      const { version, state } = (await (await fetch(`${admin}/server_info`)).json()) as ServerInfo;
      const { listener_statuses: listeners } = (await (
        await fetch(`${admin}/listeners?format=json`)
      ).json()) as Listeners;
      const address = listeners?.[0]?.local_address.socket_address;
      if (state === "LIVE" && address) return { version, address: `${address.address}:${address.port_value}`, close };
    } catch {
      // it has not got so far
    }
    await delay(50);
  }
  await close();
  throw new Error(`${path} did not come up:\n${program.stderr.join("\n")}`);
}

/** Of Envoy's admin API, what is read. */
interface ServerInfo {
  readonly version: string;
  readonly state: string;
}

interface Listeners {
  readonly listener_statuses?: readonly {
    readonly local_address: { readonly socket_address: { readonly address: string; readonly port_value: number } };
  }[];
}

const anyPort = { socket_address: { address: "127.0.0.1", port_value: 0 } };
const typed = (type: string, fields: object = {}) => ({ "@type": `type.googleapis.com/envoy.${type}`, ...fields });

function configOf(servers: readonly string[], lbPolicy: string): object {
  const manager = typed("extensions.filters.network.http_connection_manager.v3.HttpConnectionManager", {
    stat_prefix: "in",
    codec_type: "HTTP2",
    route_config: {
      virtual_hosts: [
        {
          name: "all",
          domains: ["*"],
          routes: [{ match: { prefix: "/" }, route: { cluster: "servers", timeout: "0s" } }],
        },
      ],
    },
    http_filters: [
      { name: "envoy.filters.http.router", typed_config: typed("extensions.filters.http.router.v3.Router") },
    ],
  });
  const filters = [{ name: "envoy.filters.network.http_connection_manager", typed_config: manager }];
  const endpoints = servers.map((server) => {
    const [address, port] = server.split(":");
    return { endpoint: { address: { socket_address: { address, port_value: Number(port) } } } };
  });
  const limits = { max_requests: 100_000, max_pending_requests: 100_000 };
  const cluster = {
    name: "servers",
    type: "STATIC",
    connect_timeout: "1s",
    lb_policy: lbPolicy,
    circuit_breakers: { thresholds: [limits] },
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed(
        "extensions.upstreams.http.v3.HttpProtocolOptions",
        {
          explicit_http_config: { http2_protocol_options: {} },
        },
      ),
    },
    load_assignment: { cluster_name: "servers", endpoints: [{ lb_endpoints: endpoints }] },
  };
  return {
    admin: { address: anyPort },
    static_resources: {
      listeners: [{ name: "in", address: anyPort, filter_chains: [{ filters }] }],
      clusters: [cluster],
    },
  };
}
