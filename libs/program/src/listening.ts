import { messageOf } from "@grpc-lb/core";
import { ProgramError } from "./run-program.ts";

/** grpc-js's "No address added out of total 1 resolved errors: [listen EADDRINUSE: …]". */
const wrapped = /^No address added out of total \d+ resolved errors: \[(.*)\]$/s;

/**
 * Waits until a program listens on the port that a flag says.
 *
 * @param flag such as `--admin-port`
 * @throws ProgramError with exit code 1, the flag and the reason, when it cannot
 */
export async function listening<T>(flag: string, port: number, listener: Promise<T>): Promise<T> {
  try {
    return await listener;
  } catch (cause) {
    const message = messageOf(cause);
    const reason = wrapped.exec(message)?.[1] ?? message;
    throw new ProgramError(`cannot listen on ${flag} ${port}: ${reason}`, { cause, exitCode: 1 });
  }
}
