import { randomBytes } from "node:crypto";
import { type RunningProgram, watchChild } from "@grpc-lb/program/testing";
import { namesOf, requireBuilt } from "../image/built.ts";
import type { AppName } from "../image/tag.ts";

/** Runs an app's image with Docker alone, on this machine's network; SIGTERM reaches the app through `docker run`. */
export function runImage(app: AppName, args: readonly string[]): RunningProgram {
  const name = `grpc-lb-e2e-${app}-${randomBytes(3).toString("hex")}`;
  const image = namesOf(app, requireBuilt("")).byContent;
  return watchChild({
    command: "docker",
    args: ["run", "--rm", "--network=host", `--name=${name}`, image, ...args],
    env: process.env as Record<string, string>,
  });
}
