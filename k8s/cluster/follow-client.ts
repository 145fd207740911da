import { systemClock } from "@grpc-lb/core";
import { LogPosition, startChild } from "@grpc-lb/program";
import { type ClientPod, findClientPod } from "./client-pod.ts";
import type { Kubectl } from "./kubectl.ts";

/** Options for following a client's log. */
export interface FollowOptions {
  /** How many past lines to read first; -1 for all. */
  readonly lines: number;
  /** Receives each line. */
  readonly give: (line: string) => void;
  /** Receives the reason while there is no log to follow, and an empty text when there is one again. */
  readonly warn: (text: string) => void;
  /** Ends following. */
  readonly signal: AbortSignal;
}

/** Follows the log of a client, and that of the pod which replaces its pod from the start; resolves when `signal` is aborted. */
export async function followClient(
  kubectl: Kubectl,
  client: string,
  { lines, give, warn, signal }: FollowOptions,
): Promise<void> {
  let run = "";
  let position = new LogPosition();
  for (let first = [`--tail=${lines}`]; !signal.aborted; await systemClock.sleep(1_000, signal)) {
    const pod = await findClientPod(kubectl, client);
    if (pod === null || pod.starting !== null) {
      warn(whyNotStarted(client, pod));
      continue;
    }
    const found = `${pod.name} ${pod.restarts}`;
    if (run !== found) {
      if (run !== "") first = ["--tail=-1"];
      run = found;
      position = new LogPosition();
    }
    let problem = "";
    const child = startChild({
      command: "kubectl",
      args: [
        ...kubectl.where,
        "logs",
        "--follow",
        "--timestamps",
        pod.name,
        "-c",
        client,
        ...(position.since === "" ? first : [`--since-time=${position.since}`]),
      ],
      env: process.env as Record<string, string>,
      onStdout(stamped) {
        const line = position.take(stamped);
        if (line === null) return;
        warn("");
        give(line);
      },
      onStderr(line) {
        problem = line;
      },
    });
    const end = () => child.kill("SIGTERM");
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
    const { code } = await child.exited;
    signal.removeEventListener("abort", end);
    if (code !== 0 && problem !== "" && !signal.aborted) warn(`${client}: ${problem}`);
  }
}

/** Why a client has no log yet, in a clause. */
export function whyNotStarted(client: string, pod: ClientPod | null): string {
  return pod === null ? `${client}: no pod found` : `${client}: pod ${pod.name} has not started (${pod.starting})`;
}
