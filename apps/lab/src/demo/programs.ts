import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** The programs that strategies need beside Node, as their packages name them. */
export type ProgramName = "etcd" | "consul" | "envoy" | "nginx" | "haproxy";

const versionArgs: Readonly<Record<ProgramName, readonly string[]>> = {
  etcd: ["--version"],
  consul: ["version"],
  envoy: ["--version"],
  nginx: ["-v"],
  haproxy: ["-v"],
};

/** The command of a program: the path in the environment variable of its name (`ENVOY=…`), or else its name. */
export function commandOf(name: ProgramName): string {
  return process.env[name.toUpperCase()] || name;
}

/** Why a program cannot be started on this machine, and what to do about it; undefined when it can. */
export async function whyUnavailable(name: ProgramName): Promise<string | undefined> {
  const command = commandOf(name);
  try {
    await promisify(execFile)(command, versionArgs[name], { timeout: 10_000 });
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const isAbsent = code === "ENOENT";
    if (command !== name) return `${name.toUpperCase()}=${command} ${isAbsent ? "does not exist" : "does not run"}`;
    return `${name} is ${isAbsent ? "not on the PATH" : "on the PATH but does not run"}; see make doctor`;
  }
}
