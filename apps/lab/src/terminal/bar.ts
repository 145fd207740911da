const eighths = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"] as const;

/** A bar of at most `width` cells, exact to an eighth of a cell; `share` is of the whole width, from 0 to 1. */
export function bar(share: number, width: number): string {
  const steps = Math.round(Math.min(1, Math.max(0, share)) * width * 8);
  return "█".repeat(Math.floor(steps / 8)) + eighths[steps % 8];
}
