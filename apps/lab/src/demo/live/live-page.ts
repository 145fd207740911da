import { join } from "node:path";
import type { Clock } from "@grpc-lb/core";
import { within } from "../../processes/deadline.ts";
import type { ProcessGroup } from "../../processes/process-group.ts";
import { startAdvice, startLimitMs } from "../../processes/start-limit.ts";

/** A process of `apps/compare`, which serves the live page. Its README describes the lines. */
export interface LivePage {
  readonly url: string;
  /** Sends a line to the page. */
  send(input: Readonly<Record<string, unknown>>): void;
}

const main = join(import.meta.dirname, "../../../../compare/src/main.ts");

/**
 * Starts the server of the live page.
 *
 * @param onAction takes the name of an action when its button was pressed
 * @throws ProgramError when it does not serve within 60 s. When it exits early, `group.failed` rejects.
 */
export async function startLivePage(
  group: ProcessGroup,
  options: { readonly port: number; readonly clock: Clock; readonly signal: AbortSignal },
  onAction: (action: string) => void,
): Promise<LivePage> {
  const serving = Promise.withResolvers<string>();
  const name = "compare";
  let isServing = false;
  const child = group.start({
    name,
    main,
    args: ["--port", String(options.port)],
    hasStdin: true,
    onStdout(line) {
      const { t, url, action } = JSON.parse(line);
      if (t === "serving") {
        isServing = true;
        serving.resolve(url);
      }
      if (t === "action") onAction(action);
    },
    // Before that, the error of the start quotes them.
    onStderr: (line) => void (isServing && process.stderr.write(`${line}\n`)),
  });
  const describe = () =>
    `the page was not served within ${startLimitMs / 1_000} s; ${startAdvice}; ${group.describeLastLines(name)}`;
  const deadline = { ms: startLimitMs, clock: options.clock, signal: options.signal, describe };
  const url = await within(deadline, Promise.race([serving.promise, group.failed]));
  return { url, send: (input) => child.writeLine(JSON.stringify(input)) };
}
