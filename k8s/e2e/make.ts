import assert from "node:assert/strict";
import { startChild } from "@grpc-lb/program";
import { root } from "../image/tag.ts";
import { progress } from "./report.ts";

/** The result of a target of the Makefile. */
export interface MakeResult {
  readonly code: number | null;
  /** The lines of stdout and stderr, in their order. */
  readonly lines: readonly string[];
  /** The lines of stdout alone. */
  readonly stdout: readonly string[];
}

/** Runs a target as a user would, and prints its lines as progress. */
export async function make(
  target: string,
  variables: Readonly<Record<string, string>> = {},
  folder = root,
): Promise<MakeResult> {
  const args = [target, ...Object.entries(variables).map(([name, value]) => `${name}=${value}`)];
  progress(`make ${args.join(" ")}`);
  const lines: string[] = [];
  const stdout: string[] = [];
  const take = (line: string) => {
    lines.push(line);
    progress(`  ${line}`);
  };
  // Variables of the outer make would reach the inner one as if the user had set them.
  const { MAKEFLAGS: _flags, MAKELEVEL: _level, MFLAGS: _mflags, NODE_TEST_CONTEXT: _context, ...env } = process.env;
  const child = startChild({
    command: "make",
    args: ["--no-print-directory", ...args],
    cwd: folder,
    env: env as Record<string, string>,
    onStdout(line) {
      stdout.push(line);
      take(line);
    },
    onStderr: take,
  });
  const { code } = await child.exited;
  return { code, lines, stdout };
}

/** Runs a target that must succeed, in this checkout or in another one, and returns its lines. */
export async function makeOk(
  target: string,
  variables: Readonly<Record<string, string>> = {},
  folder = root,
): Promise<readonly string[]> {
  const { code, lines } = await make(target, variables, folder);
  assert.equal(code, 0, `make ${target} failed:\n${lines.join("\n")}`);
  return lines;
}

/** Runs a target that must fail, and returns the line of its output that matches. */
export async function makeFails(
  target: string,
  variables: Readonly<Record<string, string>>,
  complaint: RegExp,
  folder = root,
): Promise<string> {
  const { code, lines } = await make(target, variables, folder);
  assert.notEqual(code, 0, `make ${target} passed`);
  const line = lines.find((text) => complaint.test(text));
  assert.ok(line, `no line of make ${target} matches ${complaint}; its output:\n${lines.join("\n")}`);
  return line;
}
