import type { Socket } from "node:net";
import { HttpError } from "./http-error.ts";

/** How many informational responses (1xx) may precede an answer. Servers send one or two. */
export const maxInformational = 20;
/** How long the head of a response may be, in bytes, as in Node. */
const maxHeadLength = 16_384;

/** The first line of a response. */
export interface StatusLine {
  readonly status: number;
  readonly phrase: string;
}

/**
 * Reads on behind an informational response to CONNECT until the final one: Node takes the first response for it. What follows
 * the final response stays to be read from the socket.
 *
 * @param head what has been read from the socket behind that response
 * @throws HttpError for anything but HTTP/1, for endless responses, and when the connection ends
 */
export async function skipInformational(socket: Socket, head: Buffer, signal: AbortSignal): Promise<StatusLine> {
  const { promise, resolve, reject } = Promise.withResolvers<StatusLine>();
  let count = 1;
  let unread: Buffer = Buffer.alloc(0);
  const read = (data: Buffer) => {
    unread = Buffer.concat([unread, data]);
    for (;;) {
      const end = unread.indexOf("\r\n\r\n");
      if (end > maxHeadLength || (end < 0 && unread.length > maxHeadLength)) {
        return reject(new HttpError(`the head of a response is longer than ${maxHeadLength} bytes`));
      }
      if (end < 0) return;
      const [, digits, phrase = ""] =
        /^HTTP\/1\.\d (\d{3})(?: ([^\r\n]*))?\r\n/.exec(unread.toString("latin1", 0, end + 2)) ?? [];
      if (digits === undefined) return reject(new HttpError("the answer is not HTTP/1"));
      unread = unread.subarray(end + 4);
      const status = Number(digits);
      if (status >= 200 || status === 101) {
        socket.off("data", read).pause(); // what follows is not part of it
        return resolve({ status, phrase });
      }
      if (++count > maxInformational)
        return reject(new HttpError(`more than ${maxInformational} informational responses`));
    }
  };
  const close = () => reject(new HttpError("socket hang up"));
  const abort = () => reject(signal.reason);
  socket.on("data", read).on("error", reject).on("end", close).on("close", close);
  signal.addEventListener("abort", abort);
  if (signal.aborted) abort();
  read(head);
  try {
    const answer = await promise;
    if (unread.length > 0) socket.unshift(unread);
    return answer;
  } finally {
    signal.removeEventListener("abort", abort);
    socket.pause().off("data", read).off("error", reject).off("end", close).off("close", close);
  }
}
