import { randomBytes } from "node:crypto";
import { type RunningProgram, watchChild } from "@grpc-lb/runtime/testing";
import { type AppName, imageName, version } from "../image/tag.ts";

/** Runs an app's image with Docker alone, on this machine's network; SIGTERM reaches the app through `docker run`. */
export function runImage(app: AppName, args: readonly string[]): RunningProgram {
  const options = { imagePrefix: process.env.IMAGE_PREFIX ?? "", nodeImage: "" };
  const name = `grpc-lb-e2e-${app}-${randomBytes(3).toString("hex")}`;
  return watchChild({
    command: "docker",
    args: ["run", "--rm", "--network=host", `--name=${name}`, `${imageName(app, options)}:${version}`, ...args],
    env: process.env as Record<string, string>,
  });
}
