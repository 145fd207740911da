import { execFileSync } from "node:child_process";

/** How this machine's Chromium is started. */
export interface Chromium {
  readonly executablePath: string;
  readonly args: readonly string[];
}

/** Finds Chromium: CHROMIUM, or the first of its names that is on the PATH. @returns undefined when there is none */
export function findChromium(): Chromium | undefined {
  const names = process.env.CHROMIUM ? [process.env.CHROMIUM] : ["chromium", "chromium-browser", "google-chrome"];
  for (const name of names) {
    try {
      const found = execFileSync("sh", ["-c", 'command -v "$1"', "sh", name], { encoding: "utf8" }).trim();
      // As root, as in a container, Chromium has no sandbox. The pages are our own.
      return { executablePath: found, args: process.getuid?.() === 0 ? ["--no-sandbox"] : [] };
    } catch {
      // not there: the next name
    }
  }
  return undefined;
}

/** Why a test that needs Chromium is skipped. */
export const noChromium = "there is no chromium on the PATH, and CHROMIUM is not set";
