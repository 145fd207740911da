import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Slice, SliceRequest } from "./slice.ts";

/** How long a caller may take to become ready, and to answer after the end of a slice. */
const limitMs = 30_000;

/** A caller that waits for requests. */
export interface CallerProcess {
  /** @throws Error when the caller has ended, with what it wrote to stderr, or does not answer within 30 s after the slice */
  measure(request: SliceRequest): Promise<Slice>;
}

/**
 * Starts `caller.ts`, or the command that runs it elsewhere, and waits until its channel is ready.
 *
 * @param signal ends the caller
 * @param input what the command reads before the requests
 */
export async function startCaller(
  command: string,
  args: readonly string[],
  signal: AbortSignal,
  input = "",
): Promise<CallerProcess> {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], signal, killSignal: "SIGKILL" });
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaint = (complaint + text).slice(-2_000);
  });
  child.on("error", (error) => {
    complaint ||= error.message; // it could not be started, or the signal has ended it
  });
  child.stdin.on("error", () => {}); // EPIPE: the caller has ended, which the missing line says
  child.stdin.write(input);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const nextLine = async (withinMs: number) => {
    const late = setTimeout(() => {
      complaint += `no answer within ${withinMs / 1000} s`;
      child.kill("SIGKILL");
    }, withinMs);
    const { value, done } = await lines.next().finally(() => clearTimeout(late));
    if (done) throw new Error(`a caller of the benchmark ended: ${complaint.trim() || "it wrote nothing"}`);
    return value;
  };
  await nextLine(limitMs);
  return {
    async measure(request) {
      child.stdin.write(`${JSON.stringify(request)}\n`);
      return JSON.parse(await nextLine(request.ms + limitMs)) as Slice;
    },
  };
}
