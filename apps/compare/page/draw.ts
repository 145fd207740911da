import type { Point } from "./places.ts";

/** The colours of the style sheet, which differ between dark and light. */
export interface Look {
  readonly line: string;
  readonly bad: string;
  readonly badgeInk: string;
  /** By the number of the pod's colour. */
  readonly pods: readonly string[];
}

export function readLook(): Look {
  const styles = getComputedStyle(document.documentElement);
  const colour = (name: string) => styles.getPropertyValue(name).trim();
  return {
    line: colour("--line-strong"),
    bad: colour("--bad"),
    badgeInk: colour("--badge-ink"),
    pods: Array.from({ length: 6 }, (_, i) => colour(`--pod-${i}`)),
  };
}

/** Sizes a canvas to its element, in the pixels of the screen. */
export function fitCanvas(element: HTMLElement, canvas: HTMLCanvasElement): void {
  canvas.width = Math.round(element.clientWidth * devicePixelRatio);
  canvas.height = Math.round(element.clientHeight * devicePixelRatio);
  const context = canvas.getContext("2d");
  if (!context) return;
  context.font = "bold 10px system-ui, sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
}

/** A line between two parts of the panel. */
export function curve(context: CanvasRenderingContext2D, from: Point, to: Point): void {
  const middle = (from.x + to.x) / 2;
  context.beginPath();
  context.moveTo(from.x, from.y);
  context.bezierCurveTo(middle, from.y, middle, to.y, to.x, to.y);
  context.stroke();
}

/** A call that was answered, with the letter of its pod. */
export function dot(
  context: CanvasRenderingContext2D,
  { x, y }: Point,
  { colour, ink, letter }: { readonly colour: string; readonly ink: string; readonly letter: string },
): void {
  context.fillStyle = colour;
  context.beginPath();
  context.arc(x, y, 7.5, 0, 2 * Math.PI);
  context.fill();
  context.fillStyle = ink;
  context.fillText(letter, x, y + 0.5);
}

/** A call that failed. */
export function cross(context: CanvasRenderingContext2D, { x, y }: Point, colour: string): void {
  context.strokeStyle = colour;
  context.lineWidth = 3;
  context.beginPath();
  context.moveTo(x - 6, y - 6);
  context.lineTo(x + 6, y + 6);
  context.moveTo(x + 6, y - 6);
  context.lineTo(x - 6, y + 6);
  context.stroke();
}
