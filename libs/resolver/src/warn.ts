/** Takes what a person should act on. */
export type Warn = (message: string) => void;

/** How many messages are remembered: targets and errors may be without number in a process that lives long. */
const remembered = 1_000;

/** Says each message once, as a Node warning: on stderr, or to `process.on("warning")`. One memory for the process. */
export const warnOnce: Warn = sayOnce((message) => process.emitWarning(message, { type: "GrpcLbWarning" }));

/**
 * Lets each message through once, however many channels have it to say; again only when a thousand others came since. It never
 * throws: who has something to say has calls to serve.
 */
export function sayOnce(warn: Warn): Warn {
  const said = new Set<string>();
  return (message) => {
    const wasSaid = said.delete(message);
    said.add(message); // as the newest
    const [oldest] = said;
    if (said.size > remembered && oldest !== undefined) said.delete(oldest);
    if (wasSaid) return;
    try {
      warn(message);
    } catch (error) {
      process.emitWarning(error instanceof Error ? error : new Error(String(error)));
    }
  };
}
