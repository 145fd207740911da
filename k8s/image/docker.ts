import { spawnSync } from "node:child_process";
import { ProgramError } from "@grpc-lb/runtime/process";

/** Runs docker and gives what it prints; a failure ends the program with `what` and docker's own reason. */
export function docker(args: readonly string[], what: string): string {
  const { status, stdout, stderr } = spawnSync("docker", args, { encoding: "utf8", maxBuffer: 64 << 20 });
  if (status !== 0) throw new ProgramError(`${what}:\n${(stderr ?? "docker is not there").trim()}`, { exitCode: 1 });
  return stdout;
}

/** Whether docker has the image on this machine. */
export function hasImage(image: string): boolean {
  return spawnSync("docker", ["image", "inspect", image], { stdio: "ignore" }).status === 0;
}
