import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A temporary folder of one run. */
export interface LabFolder {
  readonly path: string;
  /** Removes it with all that is in it. */
  remove(): void;
}

/** Makes a folder that is removed at the latest when this process exits. */
export async function makeLabFolder(): Promise<LabFolder> {
  const path = await mkdtemp(join(tmpdir(), "grpc-lb-lab-"));
  // Again, when a process that was killed a moment ago had still written into it.
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
