/** The part of a TTY's input stream that `readKeys` uses. */
export interface KeyInput {
  setRawMode(isRaw: boolean): unknown;
  on(event: "data", listener: (bytes: Uint8Array) => void): unknown;
  off(event: "data", listener: (bytes: Uint8Array) => void): unknown;
  resume(): unknown;
  pause(): unknown;
}

/** Keys that a terminal turns into signals, unless it is in raw mode. */
const signals: Readonly<Record<string, NodeJS.Signals>> = { "\x03": "SIGINT", "\x1c": "SIGQUIT" };

/** An arrow, a function key, or a key with Alt. A control character never belongs to it: Ctrl-C right behind it counts. */
const escapeSequence = new RegExp(`${String.fromCharCode(27)}(?:\\[[0-?]*[ -/]*[@-~]|O[ -~]|[ -~])?`, "g");

/**
 * Reads keys one by one and without an echo. Ctrl-C and Ctrl-\ still are signals. The terminal is as before after `close`, and
 * when the process exits.
 *
 * @param onKey takes the character of a key; those of an escape sequence are left out
 */
export function readKeys(
  input: KeyInput,
  onKey: (key: string) => void,
  raise: (signal: NodeJS.Signals) => void = (signal) => void process.kill(process.pid, signal),
): { close(): void } {
  const restore = () => void input.setRawMode(false);
  const take = (bytes: Uint8Array) => {
    // Keys that follow each other quickly arrive together.
    for (const key of new TextDecoder().decode(bytes).replaceAll(escapeSequence, "")) {
      const signal = signals[key];
      if (signal) raise(signal);
      else onKey(key);
    }
  };
  process.once("exit", restore);
  input.setRawMode(true);
  input.on("data", take);
  input.resume();
  return {
    close() {
      process.off("exit", restore);
      input.off("data", take);
      input.pause();
      restore();
    },
  };
}
