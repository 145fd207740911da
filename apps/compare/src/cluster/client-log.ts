import { type Clock, messageOf } from "@grpc-lb/core";
import type { ApiClient } from "@grpc-lb/discovery/kubernetes/api";
import { LogPosition } from "@grpc-lb/program";
import type { Pod } from "./pod.ts";

/** Whose log is followed, and who takes its lines. */
export interface ClientLogOptions {
  readonly api: ApiClient;
  readonly namespace: string;
  readonly clock: Clock;
  /** The client, which is also the name of its container. */
  readonly client: string;
  /** Its pod as it is now. */
  pod(): Pod | undefined;
  onLine(line: string): void;
  /** Takes the reason while there is no log to follow, and an empty text when there is one again. */
  warn(text: string): void;
}

const retryMs = 1_000;
/** A request ends after this long without a line, or in all, and the next one continues: clients call once a second by default. */
const [silenceMs, totalMs] = [5 * 60_000, 60 * 60_000];
const maxLineLength = 256 * 1024;

/**
 * Follows the log of a client from now on, and that of each pod that replaces its pod from the start; resolves when `signal` is
 * aborted.
 */
export async function followLog(options: ClientLogOptions, signal: AbortSignal): Promise<void> {
  const { api, namespace, clock, client, pod: findPod, onLine, warn } = options;
  let run = "";
  let position = new LogPosition();
  for (let first = "&tailLines=0"; !signal.aborted; await clock.sleep(retryMs, signal)) {
    const pod = findPod();
    if (pod === undefined || pod.starting !== "") {
      warn(
        pod === undefined ? `${client}: no pod found` : `${client}: pod ${pod.name} has not started (${pod.starting})`,
      );
      continue;
    }
    const found = `${pod.name} ${pod.restarts}`;
    if (found !== run) {
      if (run !== "") first = "";
      run = found;
      position = new LogPosition();
    }
    const from = position.since === "" ? first : `&sinceTime=${encodeURIComponent(position.since)}`;
    const query = `container=${encodeURIComponent(client)}&follow=true&timestamps=true${from}`;
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod.name)}/log?${query}`;
    try {
      await api.stream(
        { path, what: `log of ${namespace}/${pod.name}`, signal, silenceMs, totalMs },
        async (answer) => {
          warn("");
          for await (const lines of answer.lines(maxLineLength)) {
            answer.heard();
            if (signal.aborted) return;
            for (const line of lines.map((each) => position.take(each))) if (line !== null) onLine(line);
          }
        },
      );
    } catch (error) {
      if (!signal.aborted) warn(messageOf(error));
    }
  }
}
