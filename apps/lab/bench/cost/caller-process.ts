import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Slice, SliceRequest } from "./slice.ts";

/** A caller that waits for requests. */
export interface CallerProcess {
  /** @throws Error when the caller has ended, with what it wrote to stderr */
  measure(request: SliceRequest): Promise<Slice>;
  close(): Promise<void>;
}

/**
 * Starts `caller.ts`, or the command that runs it elsewhere, and waits until its channel is ready.
 *
 * @param input what the command reads before the requests
 */
export async function startCaller(command: string, args: readonly string[], input = ""): Promise<CallerProcess> {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"] });
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaint = (complaint + text).slice(-2_000);
  });
  child.stdin.on("error", () => {}); // EPIPE: the caller has ended, which the missing line says
  child.stdin.write(input);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const nextLine = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`a caller of the benchmark ended: ${complaint.trim() || "it wrote nothing"}`);
    return value;
  };
  await nextLine();
  return {
    async measure(request) {
      child.stdin.write(`${JSON.stringify(request)}\n`);
      return JSON.parse(await nextLine()) as Slice;
    },
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "exit");
      child.stdin.end();
      await ended;
    },
  };
}
