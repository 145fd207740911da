import { execFileSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Client, credentials } from "@grpc/grpc-js";
import { startProgram, watchChild } from "@grpc-lb/program/testing";
import { callPod } from "./pod.ts";

/** A client of xDS that nobody here wrote. */
export interface ForeignClient {
  /** Calls the service, and returns the name of the pod. */
  call(): Promise<string>;
  close(): Promise<void>;
}

/** How one is started, for a listener named `l` and a control plane. */
export interface ForeignClientKind {
  readonly name: string;
  readonly protocol: "delta" | "sotw";
  /** Whether the listener has a port of its own. */
  readonly isProxy: boolean;
  /** Why it cannot be had; undefined when it can. */
  readonly missing: string | undefined;
  start(controlPlanePort: number, listenerPort: number): Promise<ForeignClient>;
}

const here = import.meta.dirname;

/** All that are tested. */
export function foreignClients(): readonly ForeignClientKind[] {
  const envoy = findProgram("envoy");
  const go = findProgram("go");
  const noEnvoy = envoy === undefined ? "there is no envoy: set ENVOY, or GRPC_LB_SANDBOX" : undefined;
  const proxy = { isProxy: true, missing: noEnvoy };
  return [
    { name: "grpc-js-xds", protocol: "sotw", isProxy: false, missing: undefined, start: startGrpcJsXds },
    {
      name: "grpc-go",
      protocol: "sotw",
      isProxy: false,
      missing: go ? undefined : "there is no go",
      start: startGrpcGo,
    },
    { name: "Envoy, state of the world", protocol: "sotw", ...proxy, start: startEnvoy(envoy ?? "", "GRPC") },
    { name: "Envoy, delta", protocol: "delta", ...proxy, start: startEnvoy(envoy ?? "", "DELTA_GRPC") },
  ];
}

function findProgram(name: string): string | undefined {
  const { PATH = "", GRPC_LB_SANDBOX: sandbox } = process.env;
  const given = process.env[name.toUpperCase()];
  const files = [...(given ? [given] : []), ...PATH.split(delimiter).map((folder) => join(folder, name))];
  const found = files.find(isProgram);
  if (found !== undefined || !sandbox || name !== "envoy") return found;
  execFileSync(sandbox, ["tool", name], { stdio: "ignore", timeout: 300_000 });
  return execFileSync("sh", ["-c", `eval "$("$0" env)" && command -v ${name}`, sandbox], { encoding: "utf8" }).trim();
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false; // not executable
  }
}

async function startGrpcJsXds(controlPlanePort: number): Promise<ForeignClient> {
  const { folder, env } = await bootstrap(controlPlanePort);
  return overHttp(startProgram(join(here, "grpc-js-xds-client.ts"), ["xds:///l"], env), folder);
}

async function startGrpcGo(controlPlanePort: number): Promise<ForeignClient> {
  const { folder, env } = await bootstrap(controlPlanePort);
  const program = join(folder, "client");
  execFileSync("go", ["build", "-o", program, "."], { cwd: join(here, "grpc-go"), stdio: "inherit", timeout: 600_000 });
  return overHttp(watchChild({ command: program, args: ["xds:///l"], env }), folder);
}

/** The bootstrap file of gRPC (gRFC A27). */
async function bootstrap(port: number) {
  const folder = await mkdtemp(join(tmpdir(), "grpc-lb-xds-"));
  const file = join(folder, "bootstrap.json");
  const server = {
    server_uri: `127.0.0.1:${port}`,
    channel_creds: [{ type: "insecure" }],
    server_features: ["xds_v3"],
  };
  await writeFile(file, JSON.stringify({ xds_servers: [server], node: { id: "tester", locality: { zone: "z" } } }));
  return { folder, env: { GRPC_XDS_BOOTSTRAP: file } };
}

/** A program that calls once for each HTTP request to the port that it prints. */
async function overHttp(program: ReturnType<typeof watchChild>, folder: string): Promise<ForeignClient> {
  const line = await program.line((text) => text.startsWith("port "));
  const url = `http://127.0.0.1:${line.split(" ")[1]}`;
  return {
    async call() {
      const response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
      const text = await response.text();
      if (!response.ok) throw new Error(text);
      return text;
    },
    async close() {
      await program.stop();
      await rm(folder, { recursive: true });
    },
  };
}

function startEnvoy(path: string, apiType: "GRPC" | "DELTA_GRPC") {
  return async (controlPlanePort: number, listenerPort: number): Promise<ForeignClient> => {
    const folder = await mkdtemp(join(tmpdir(), "grpc-lb-envoy-"));
    const [config, adminFile] = [join(folder, "envoy.json"), join(folder, "admin")];
    await writeFile(config, JSON.stringify(envoyConfig(apiType, controlPlanePort)));
    const flags = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "error"];
    const args = ["--config-path", config, "--admin-address-path", adminFile, ...flags];
    const program = watchChild({ command: path, args, env: {} });
    for (let tries = 0; tries < 200 && !(await isLive(adminFile)); tries++) await delay(50);
    const client = new Client(`127.0.0.1:${listenerPort}`, credentials.createInsecure());
    return {
      call: () => callPod(client),
      async close() {
        client.close();
        await program.stop();
        await rm(folder, { recursive: true });
      },
    };
  };
}

async function isLive(adminFile: string): Promise<boolean> {
  if (!existsSync(adminFile)) return false;
  try {
    return (await fetch(`http://${await readFile(adminFile, "utf8")}/ready`)).ok;
  } catch {
    return false; // it has not got so far
  }
}

function envoyConfig(apiType: string, port: number): object {
  const fromAds = { ads: {}, resource_api_version: "V3" };
  const http2 = {
    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
    explicit_http_config: { http2_protocol_options: {} },
  };
  const endpoint = { address: { socket_address: { address: "127.0.0.1", port_value: port } } };
  const cluster = {
    name: "xds",
    type: "STATIC",
    connect_timeout: "1s",
    typed_extension_protocol_options: { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2 },
    load_assignment: { cluster_name: "xds", endpoints: [{ lb_endpoints: [{ endpoint }] }] },
  };
  const services = [{ envoy_grpc: { cluster_name: "xds" } }];
  return {
    node: { id: "tester", cluster: "tests" },
    admin: { address: { socket_address: { address: "127.0.0.1", port_value: 0 } } },
    dynamic_resources: {
      ads_config: { api_type: apiType, transport_api_version: "V3", grpc_services: services },
      cds_config: fromAds,
      lds_config: fromAds,
    },
    cluster_manager: {
      load_stats_config: { api_type: "GRPC", transport_api_version: "V3", grpc_services: services },
    },
    static_resources: { clusters: [cluster] },
  };
}
