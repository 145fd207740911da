import assert from "node:assert/strict";
import { execute } from "./execute.ts";
import type { PodServers } from "./pod-servers.ts";

/** Runs a program that writes one line of JSON and no warning, and returns the line's value. */
export async function runProgram(node: string, folder: string, args: readonly string[]): Promise<unknown> {
  const { stdout, stderr } = await execute(node, args, { folder, limitMs: 60_000 });
  assert.equal(stderr, "", `${args[0]} writes to stderr`);
  return JSON.parse(stdout);
}

/** The arguments of a program that calls the servers. */
export const callArgs = ({ grpc, http, proto }: PodServers): string[] => [grpc, http, proto];
