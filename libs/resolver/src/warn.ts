/** Receives what an operator should act on. */
export type Warn = (message: string) => void;

/** How many messages are remembered: targets and errors may be unlimited in a process that lives long. */
const remembered = 1_000;

/** Emits each message once, as a Node warning: on stderr, or to `process.on("warning")`. One memory for the process. */
export const warnOnce: Warn = dedupeWarnings((message) => process.emitWarning(message, { type: "GrpcLbWarning" }));

/**
 * Lets each message through once, however many channels emit it; again only when a thousand others came since. It never
 * throws, as a warning must not cost a call: what `warn` throws becomes a Node warning.
 */
export function dedupeWarnings(warn: Warn): Warn {
  const seen = new Set<string>();
  return (message) => {
    const wasSeen = seen.delete(message);
    seen.add(message); // as the newest
    const [oldest] = seen;
    if (seen.size > remembered && oldest !== undefined) seen.delete(oldest);
    if (wasSeen) return;
    try {
      warn(message);
    } catch (error) {
      process.emitWarning(error instanceof Error ? error : new Error(String(error)));
    }
  };
}
