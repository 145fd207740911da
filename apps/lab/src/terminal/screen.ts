/** What a Screen needs of a terminal: `process.stdout`, when that is one. */
export interface Terminal {
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

const hideCursor = "\x1b[?25l";
const showCursor = "\x1b[?25h";
const eraseToLineEnd = "\x1b[K";
const eraseBelow = "\x1b[J";
const startOver = "\x1b[H\x1b[J";
// Wrapping is off while painting, so that a terminal which has just become narrower cuts lines instead. The terminals
// that know mode 2026 show all of a frame at once; the others ignore it.
const beginFrame = "\x1b[?2026h\x1b[?7l";
const endFrame = "\x1b[?7h\x1b[?2026l";

/**
 * A part of the terminal that is painted over and over in place, at the end of what stands there already; a change of the
 * terminal's width moves it to the top. The cursor rests on the line below it. Frames must have fewer lines than the
 * terminal has rows, and no line may be wider.
 */
export class Screen {
  readonly #terminal: Terminal;
  /** How many lines stand there, and how wide the terminal was when they were painted. */
  #height = 0;
  #columns: number | undefined;
  #isOpen = true;
  readonly #onExit = () => this.#terminal.write(showCursor);

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    process.once("exit", this.#onExit); // whatever ends the process, the cursor is shown again
    terminal.write(hideCursor);
  }

  /** Paints `lines` over what was painted before. */
  draw(lines: readonly string[]): void {
    if (!this.#isOpen) return;
    const { columns } = this.#terminal;
    // A terminal of another width has broken or joined the old lines, each kind of terminal in its own way, and maybe
    // while a frame was on its way: where they stand now is not known. So the screen is begun anew from its top.
    const back = this.#height === 0 ? "\r" : columns === this.#columns ? `\r\x1b[${this.#height}A` : startOver;
    const body = lines.map((line) => `${line}${eraseToLineEnd}\r\n`).join("");
    this.#terminal.write(`${beginFrame}${back}${body}${eraseBelow}${endFrame}`);
    this.#height = lines.length;
    this.#columns = columns;
  }

  /** Leaves what was painted last where it stands and gives the cursor back. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#terminal.write(showCursor);
    process.off("exit", this.#onExit);
  }
}
