import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after } from "node:test";
import { root } from "./places.ts";

/** Servers of apps/server, as processes. */
export interface PodServers {
  /** The pods' names. */
  readonly names: readonly string[];
  /** `127.0.0.1:port,127.0.0.1:port` */
  readonly grpc: string;
  readonly http: string;
  /** The .proto file of their gRPC service. */
  readonly proto: string;
}

const startLimitMs = 20_000;

/** Starts two servers; they end with the test file. */
export async function startPodServers(): Promise<PodServers> {
  const names = ["pod-a", "pod-b"];
  const servers = await Promise.all(names.map(startServer));
  const addresses = (kind: "grpcPort" | "httpPort") => servers.map((ports) => `127.0.0.1:${ports[kind]}`).join(",");
  const proto = join(root, "protos/pod/v1/pod.proto");
  return { names, grpc: addresses("grpcPort"), http: addresses("httpPort"), proto };
}

async function startServer(name: string): Promise<{ readonly grpcPort: number; readonly httpPort: number }> {
  const flags = ["--pod-name", name, "--bind-address", "127.0.0.1", "--grpc-port", "0", "--http-port", "0"];
  const main = join(root, "apps/server/src/main.ts");
  const env = { PATH: process.env.PATH };
  const server = spawn(process.execPath, [main, ...flags, "--warm-up", "0s"], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  after(() => end(server));
  const lines = createInterface(server.stdout);
  const [line] = await once(lines, "line", { signal: AbortSignal.timeout(startLimitMs) });
  const { msg, grpcPort, httpPort } = JSON.parse(line);
  if (msg !== "serving") throw new Error(`the server ${name} does not serve: ${line}`);
  return { grpcPort, httpPort };
}

async function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  server.kill("SIGKILL");
  await once(server, "exit");
}
