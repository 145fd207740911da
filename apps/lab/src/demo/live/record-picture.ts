/**
 * Takes `apps/lab/live.png`, a picture of the live page: `node apps/lab/src/demo/live/record-picture.ts`. Needs Chromium on the PATH, or
 * its path in CHROMIUM. It kills a pod and starts one first, so that the strategies differ in more than their shares.
 */
import { join } from "node:path";
import { systemClock } from "@grpc-lb/core";
import { startChild } from "@grpc-lb/program";
import { chromium } from "playwright-core";

const path = join(import.meta.dirname, "../../../live.png");
const scene = [
  { action: "kill", thenMs: 3_000 },
  { action: "start", thenMs: 15_000 },
] as const;
const warmUpMs = 8_000;

const serving = Promise.withResolvers<string>();
const running = Promise.withResolvers<void>();
const { PATH = "" } = process.env;
const live = startChild({
  command: process.execPath,
  args: [join(import.meta.dirname, "main.ts")],
  env: { PATH },
  onStdout(line) {
    if (line.startsWith("http://")) serving.resolve(line);
    if (line.startsWith("every client calls")) running.resolve();
  },
  onStderr: (line) => void process.stderr.write(`${line}\n`),
});
const failed = live.exited.then(({ code }) => Promise.reject(new Error(`make live exited with ${code}`)));
failed.catch(() => {}); // counts only while the picture is taken
const isRoot = process.getuid?.() === 0;
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: isRoot ? ["--no-sandbox"] : [],
});
try {
  await Promise.race([running.promise, failed]);
  const page = await browser.newPage({ viewport: { width: 1280, height: 720 }, colorScheme: "dark", deviceScaleFactor: 1.5 });
  await page.goto(await serving.promise);
  await systemClock.sleep(warmUpMs);
  for (const { action, thenMs } of scene) {
    await page.locator(`[data-action="${action}"]`).click();
    await systemClock.sleep(thenMs);
  }
  await page.screenshot({ path });
  process.stdout.write(`${path}\n`);
} finally {
  await browser.close();
  await live.stop();
}
