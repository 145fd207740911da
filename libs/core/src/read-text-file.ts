import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { type Clock, systemClock } from "./clock.ts";
import { formatDuration } from "./duration.ts";
import { requireFileName } from "./file-name.ts";
import { FileError } from "./read-failure.ts";

/** How long a read may take, and how much it may return. Other values are for tests. */
export interface ReadTextOptions {
  /** Default: 4 MiB. */
  readonly maxBytes?: number;
  /** In milliseconds. Default: 5 s. */
  readonly timeoutMs?: number;
  readonly clock?: Clock;
  /** Ends the read. */
  readonly signal?: AbortSignal | undefined;
}

/** How long to wait for the writer of a pipe between two attempts to read from it, in milliseconds. */
const pollMs = 20;

/**
 * Reads a small text file, such as a kubeconfig, a certificate or a password. It may be a pipe, as of a shell's `<(command)`: its
 * writer has `timeoutMs` for the whole text. Node's `readFile` would wait for ever, and hold a thread.
 *
 * @throws the reason of `signal`; RangeError for a path that looks like the content of a file; Error for a file that cannot be opened or
 * read, that is larger than `maxBytes`, or whose writer is too slow. `describeReadFailure` has the reason without the path
 */
export async function readTextFile(path: string, options: ReadTextOptions = {}): Promise<string> {
  const { maxBytes = 4 * 1_024 * 1_024, timeoutMs = 5_000, clock = systemClock, signal } = options;
  requireFileName(path); // the errors of the system would repeat it
  // Without O_NONBLOCK the open of a pipe waits for its writer.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const dueMs = clock.now() + timeoutMs;
    const chunks: Buffer[] = [];
    let length = 0;
    for (;;) {
      const chunk = await readChunk(file);
      if (chunk?.length === 0) return Buffer.concat(chunks).toString("utf8");
      if (chunk) {
        chunks.push(chunk);
        length += chunk.length;
        if (length > maxBytes) throw new FileError(path, `is larger than ${maxBytes} bytes`);
      }
      signal?.throwIfAborted();
      if (clock.now() >= dueMs)
        throw new FileError(path, `was not read to its end within ${formatDuration(timeoutMs)}`);
      if (!chunk) await clock.sleep(pollMs, signal);
    }
  } finally {
    await file.close();
  }
}

/** The next bytes, none at the end, or undefined while a pipe has none yet. */
async function readChunk(file: FileHandle): Promise<Buffer | undefined> {
  try {
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(65_536), 0, 65_536, null);
    return buffer.subarray(0, bytesRead);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EAGAIN") return undefined;
    throw error;
  }
}
