import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RunningProgram, startProgram, watchChild } from "@grpc-lb/program/testing";
import type { ForeignClient, ForeignClientOptions } from "./clients.ts";

/** gRPC for Node, with gRPC's own client of xDS. */
export async function startGrpcJsXds(options: ForeignClientOptions): Promise<ForeignClient> {
  const { folder, env, target } = await bootstrap(options);
  return overHttp(startProgram(join(import.meta.dirname, "grpc-js-xds-client.ts"), [target], env), folder);
}

/** gRPC for Go. @param program the one that `buildGrpcGo` built */
export function startGrpcGo(program: string) {
  return async (options: ForeignClientOptions): Promise<ForeignClient> => {
    const { folder, env, target } = await bootstrap(options);
    return overHttp(watchChild({ command: program, args: [target], env }), folder);
  };
}

/** The bootstrap file of gRPC (gRFC A27). */
async function bootstrap({ service, controlPlanePort, ignoresDeletion = false }: ForeignClientOptions) {
  const folder = await mkdtemp(join(tmpdir(), "grpc-lb-xds-"));
  const file = join(folder, "bootstrap.json");
  const server = {
    server_uri: `127.0.0.1:${controlPlanePort}`,
    channel_creds: [{ type: "insecure" }],
    server_features: ["xds_v3", ...(ignoresDeletion ? ["ignore_resource_deletion"] : [])],
  };
  await writeFile(file, JSON.stringify({ xds_servers: [server], node: { id: "tester", locality: { zone: "z" } } }));
  return { folder, env: { GRPC_XDS_BOOTSTRAP: file }, target: `xds:///${service}` };
}

async function overHttp(program: RunningProgram, folder: string): Promise<ForeignClient> {
  const call = await callOverHttp(program);
  return {
    call,
    async close() {
      await program.stop();
      await rm(folder, { recursive: true });
    },
  };
}

/** The calls of a program that makes one for each HTTP request to the port that it prints, with the path as the user. */
export async function callOverHttp(program: RunningProgram): Promise<ForeignClient["call"]> {
  const line = await program.line((text) => text.startsWith("port "));
  const url = `http://127.0.0.1:${line.split(" ")[1]}`;
  return async (user = "") => {
    const response = await fetch(`${url}/${user}`, { signal: AbortSignal.timeout(10_000) });
    const text = await response.text();
    if (!response.ok) throw new Error(text);
    return text;
  };
}
