import { randomBytes } from "node:crypto";
import { startChild } from "@grpc-lb/runtime/process";
import type { AppName } from "../image/tag.ts";
import { version } from "../image/tag.ts";

/** Runs an app's image with Docker alone, on this machine's network; SIGTERM reaches the app through `docker run`. */
export function runImage(app: AppName, args: readonly string[]) {
  const stdout: string[] = [];
  const stderr: string[] = [];
  const watchers = new Set<(line: string) => void>();
  const prefix = process.env.IMAGE_PREFIX ?? "";
  const child = startChild({
    command: "docker",
    args: [
      "run",
      "--rm",
      "--network=host",
      `--name=grpc-lb-e2e-${app}-${randomBytes(3).toString("hex")}`,
      `${prefix}grpc-lb/${app}:${version}`,
      ...args,
    ],
    env: process.env as Record<string, string>,
    onStdout(line) {
      stdout.push(line);
      for (const watcher of watchers) watcher(line);
    },
    onStderr: (line) => stderr.push(line),
  });
  /** Resolves with the first line of stdout that `matches`; rejects when the container ends before. */
  const line = (matches: (line: string) => boolean) =>
    new Promise<string>((resolve, reject) => {
      const seen = stdout.find(matches);
      if (seen !== undefined) resolve(seen);
      watchers.add((text) => matches(text) && resolve(text));
      child.exited.then(() => reject(new Error(`docker run ${app} ended: ${stderr.join(" ")}`)), reject);
    });
  return { ...child, stdout, stderr, line };
}
