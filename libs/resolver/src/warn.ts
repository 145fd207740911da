/** Takes what a person should act on. */
export type Warn = (message: string) => void;

/** Says each message once for the life of the process, as a Node warning: on stderr, or to `process.on("warning")`. */
export const warnOnce: Warn = sayOnce((message) => process.emitWarning(message, { type: "GrpcLbWarning" }));

/** Lets each message through once, however many channels have it to say. */
export function sayOnce(warn: Warn): Warn {
  const said = new Set<string>();
  return (message) => {
    if (said.has(message)) return;
    said.add(message);
    warn(message);
  };
}
