import { startChild } from "@grpc-lb/runtime/process";
import { root } from "../image/tag.ts";
import { progress } from "./progress.ts";

/** How a target of the Makefile ended. */
export interface MakeResult {
  readonly code: number | null;
  /** The lines of stdout and stderr, as they came. */
  readonly lines: readonly string[];
}

/** Runs a target as a user would, showing its lines as progress. */
export async function make(target: string, variables: Readonly<Record<string, string>> = {}): Promise<MakeResult> {
  const args = [target, ...Object.entries(variables).map(([name, value]) => `${name}=${value}`)];
  progress(`make ${args.join(" ")}`);
  const lines: string[] = [];
  const take = (line: string) => {
    lines.push(line);
    progress(`  ${line}`);
  };
  // What make itself hands to its children would reach the inner make as if the user had said it.
  const { MAKEFLAGS: _flags, MAKELEVEL: _level, MFLAGS: _mflags, NODE_TEST_CONTEXT: _context, ...env } = process.env;
  const child = startChild({
    command: "make",
    args: ["--no-print-directory", ...args],
    cwd: root,
    env: env as Record<string, string>,
    onStdout: take,
    onStderr: take,
  });
  const { code } = await child.exited;
  return { code, lines };
}
