import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { messageOf } from "@grpc-lb/core";
import { ProgramError } from "@grpc-lb/program";

/** A temporary folder of one run. */
export interface TemporaryFolder {
  readonly path: string;
  /** Removes the folder and everything in it. */
  remove(): void;
}

/**
 * Creates a folder that is removed by `remove`, or else when this process exits.
 *
 * @throws ProgramError (exit code 1) when the system's temporary directory does not exist or is not writable
 */
export async function createTemporaryFolder(): Promise<TemporaryFolder> {
  const path = await mkdtemp(join(tmpdir(), "grpc-lb-lab-")).catch((cause: unknown) => {
    const message = `cannot create a folder in the temporary directory ${tmpdir()} (TMPDIR): ${messageOf(cause)}`;
    throw new ProgramError(message, { cause, exitCode: 1 });
  });
  // With retries, because a process that was killed a moment ago may still have written into the folder.
  const removeAll = () => rmSync(path, { recursive: true, force: true, maxRetries: 5 });
  process.once("exit", removeAll);
  return {
    path,
    remove() {
      process.off("exit", removeAll);
      removeAll();
    },
  };
}
