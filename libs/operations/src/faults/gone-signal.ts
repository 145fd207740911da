import type { FastifyReply } from "fastify";

/** Returns a signal that is aborted when the connection of a request ends before its answer. */
export function goneSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once("close", () => gone.abort()); // emitted after an answer too, when nothing listens any more
  return gone.signal;
}
