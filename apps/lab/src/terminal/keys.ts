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
    const text = new TextDecoder().decode(bytes);
    if (text.startsWith("\x1b")) return; // an arrow or a function key
    for (const key of text) {
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
