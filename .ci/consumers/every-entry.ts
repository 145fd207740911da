/** The program that uses each public entry: programs/every-entry.ts. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { PodServers } from "./pod-servers.ts";
import { callArgs } from "./run-program.ts";

/** The packages of others that it needs. */
export const everyEntryNeeds = [
  ...["@grpc/grpc-js", "@grpc/proto-loader", "undici", "yaml"],
  ...["@opentelemetry/api", "@opentelemetry/sdk-metrics", "jose", "openid-client"],
] as const;

/** Its arguments; writes the file that it reads into the folder. */
export function everyEntryArgs(folder: string, pods: PodServers): string[] {
  const file = join(folder, "endpoints.yaml");
  writeFileSync(file, '- { address: "10.0.0.3:80" }\n');
  return [...callArgs(pods), file];
}

/** What it writes. */
export const everyEntryResult = ({ names }: PodServers): object => ({
  grpc: names,
  http: names,
  kubernetes: ["10.0.0.1:50051"],
  dns: ["10.0.0.2:80"],
  yaml: ["10.0.0.3:80"],
  yamlByTarget: ["10.0.0.3:80"],
  static: ["10.0.0.4:80"],
  isInCluster: false,
  metrics: [
    ...["grpc.client.attempt.duration", "grpc.client.attempt.rcvd_total_compressed_message_size"],
    ...["grpc.client.attempt.sent_total_compressed_message_size", "grpc.client.attempt.started"],
    ...["grpc.client.call.duration", "grpc.lb.endpoints", "grpc.lb.picks", "grpc.lb.policy.updates"],
    "grpc.lb.resolver.snapshot.age",
  ],
  picks: 40,
});
