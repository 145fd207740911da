/** Receives what an operator should act on. */
export type Warn = (message: string) => void;

/** A Node warning: on stderr, or to `process.on("warning")`. */
export const emitWarning: Warn = (message) => process.emitWarning(message, { type: "GrpcLbWarning" });

let current: Warn = emitWarning;

/** Has the warnings of all channels go to `warn` from now on. */
export function sendWarningsTo(warn: Warn): void {
  current = warn;
}

/** Reports mistakes in one warning; undefined stands for none. Never throws: a warning must not cost a call. */
export function warnOf(...mistakes: readonly (string | undefined)[]): void {
  const found = mistakes.filter((mistake) => mistake !== undefined);
  if (found.length === 0) return;
  try {
    current(found.join("; "));
  } catch (error) {
    process.emitWarning(error instanceof Error ? error : new Error(String(error)));
  }
}
