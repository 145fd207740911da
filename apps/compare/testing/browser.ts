import { execFileSync } from "node:child_process";
import { type Browser, chromium } from "playwright-core";

/** The path of this machine's Chromium: CHROMIUM, or the first name that is on the PATH; undefined when there is none. */
export function findChromium(): string | undefined {
  const names = process.env.CHROMIUM ? [process.env.CHROMIUM] : ["chromium", "chromium-browser", "google-chrome"];
  for (const name of names) {
    try {
      return execFileSync("sh", ["-c", 'command -v "$1"', "sh", name], { encoding: "utf8" }).trim();
    } catch {
      // not there: the next name
    }
  }
  return undefined;
}

/** Starts Chromium without a window. */
export function launchChromium(executablePath: string): Promise<Browser> {
  // As root, as in a container, Chromium has no sandbox. The pages are our own.
  return chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ["--no-sandbox"] : [] });
}
