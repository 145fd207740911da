/** The cells of a terminal. */
export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** The part of a TTY stream that a Screen uses. */
export interface Terminal extends Partial<Size> {
  write(text: string): unknown;
}

/** The size of a terminal; 80x24 when it is unknown. */
export const sizeOf = ({ columns, rows }: Terminal): Size => ({ columns: columns || 80, rows: rows || 24 });

const hideCursor = "\x1b[?25l";
const showCursor = "\x1b[?25h";
const eraseToLineEnd = "\x1b[K";
const eraseBelow = "\x1b[J";
const goToTop = "\x1b[H\x1b[J";
// Synchronized output (mode 2026) shows a frame at once; terminals that do not know it ignore it. Line wrapping is off within
// a frame: a terminal that has just become narrower then cuts lines instead of wrapping them.
const beginFrame = "\x1b[?2026h\x1b[?7l";
const endFrame = "\x1b[?7h\x1b[?2026l";

/**
 * A region at the end of a terminal's output that is redrawn in place. The cursor rests on the line below it, so a frame must
 * have fewer lines than the terminal has rows, and no line may be wider than the terminal. After a change of the terminal's
 * width the region moves to the top of the screen.
 */
export class Screen {
  readonly #terminal: Terminal;
  /** The lines of the last frame, and the width of the terminal at that time. */
  #height = 0;
  #columns: number | undefined;
  #isOpen = true;
  readonly #onExit = () => this.#terminal.write(showCursor);

  /** Hides the cursor until `close` or the exit of the process. */
  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    process.once("exit", this.#onExit);
    terminal.write(hideCursor);
  }

  /** Draws `lines` over the last frame. */
  draw(lines: readonly string[]): void {
    if (!this.#isOpen) return;
    const { columns } = this.#terminal;
    // When the width changes, each terminal wraps or joins the old lines in its own way, perhaps while a frame is being
    // written. The position of the old frame is then unknown, so drawing starts at the top of the screen.
    const back = this.#height === 0 ? "\r" : columns === this.#columns ? `\r\x1b[${this.#height}A` : goToTop;
    const body = lines.map((line) => `${line}${eraseToLineEnd}\r\n`).join("");
    this.#terminal.write(`${beginFrame}${back}${body}${eraseBelow}${endFrame}`);
    this.#height = lines.length;
    this.#columns = columns;
  }

  /** Leaves the last frame on the screen and shows the cursor. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#terminal.write(showCursor);
    process.off("exit", this.#onExit);
  }
}
