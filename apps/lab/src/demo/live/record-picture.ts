/// <reference lib="dom" />
/**
 * Takes `apps/lab/live.png`, a picture of the live page: `node apps/lab/src/demo/live/record-picture.ts`. Needs Chromium on the PATH, or
 * its path in CHROMIUM. It kills a pod and starts one first, so that the strategies differ in more than their shares.
 */
import { join } from "node:path";
import { startChild } from "@grpc-lb/program";
import { chromium } from "playwright-core";

const path = join(import.meta.dirname, "../../../live.png");
/** What the strategies come to when a pod was killed and another one has taken its place. */
const verdicts = "BALANCED PINNED SKEWED BALANCED";
const limitMs = 120_000;

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
  const page = await browser.newPage({
    viewport: { width: 1280, height: 720 },
    colorScheme: "dark",
    deviceScaleFactor: 1.5,
  });
  await page.goto(await serving.promise);
  const isNamed = (words: string) =>
    [...document.querySelectorAll(".verdict")].map((each) => each.textContent.replace(/\W/g, "")).join(" ") === words;
  const timeout = { timeout: limitMs };
  await page.waitForFunction(isNamed, "BALANCED PINNED BALANCED BALANCED", timeout);
  for (const action of ["kill", "start"]) await page.locator(`[data-action="${action}"]`).click();
  await page.locator(".timeline li", { hasText: "D server-4 is ready" }).waitFor(timeout);
  await page.waitForFunction(isNamed, verdicts, timeout);
  await page.screenshot({ path });
  process.stdout.write(`${path}\n`);
} finally {
  await browser.close();
  await live.stop();
}
