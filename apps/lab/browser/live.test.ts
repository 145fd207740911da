/// <reference lib="dom" />
/**
 * The live page in Chromium, with the real strategies and pods: every button, and the picture of the README. Skipped where there is no
 * Chromium. `PICTURE=apps/lab/live.webp node --test apps/lab/browser/live.test.ts` takes the picture again.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { assertNothingLeft } from "@grpc-lb/core/testing";
import { findChromium, noChromium, startProgram } from "@grpc-lb/program/testing";
import { chromium, type Page } from "playwright-core";

const main = join(import.meta.dirname, "../src/demo/live/main.ts");
const found = findChromium();
const timeout = { timeout: 60_000 };
const closers: (() => Promise<unknown>)[] = [];

after(async () => {
  for (const close of closers.reverse()) await close();
  await assertNothingLeft();
});

/** Waits until the verdicts of the panels are these. */
const untilVerdicts = (page: Page, words: string) =>
  page.waitForFunction(
    (expected) =>
      [...document.querySelectorAll(".verdict")].map((each) => each.textContent.replace(/\W/g, "")).join(" ") ===
      expected,
    words,
    timeout,
  );

/** The page as WebP, which is a quarter of a PNG with the same text. */
async function takePicture(page: Page): Promise<Buffer> {
  const session = await page.context().newCDPSession(page);
  const { data } = await session.send("Page.captureScreenshot", { format: "webp", quality: 85 });
  return Buffer.from(data, "base64");
}

test("every button does with real pods what it says", {
  skip: found ? false : noChromium,
  timeout: 300_000,
}, async () => {
  const live = startProgram(main, []);
  closers.push(() => live.stop());
  const url = await live.line((line) => line.startsWith("http://127.0.0.1:"));
  await live.line((line) => line.startsWith("every client calls"));
  const browser = await chromium.launch({
    executablePath: found?.executablePath ?? "",
    args: [...(found?.args ?? [])],
  });
  closers.push(() => browser.close());
  const viewport = { width: 1280, height: 720 };
  const page = await browser.newPage({ viewport, colorScheme: "dark", deviceScaleFactor: 1.5 });
  page.setDefaultTimeout(timeout.timeout);
  await page.goto(url);
  try {
    await pressEveryButton(page);
  } catch (cause) {
    const shown = (await page.locator("body").innerText()).replaceAll(/\s+/g, " ");
    throw new Error(`the page shows: ${shown}`, { cause });
  }
});

async function pressEveryButton(page: Page): Promise<void> {
  const press = (action: string) => page.locator(`[data-action="${action}"]`).click();
  const happened = (text: string) => page.locator(".timeline li", { hasText: text }).first().waitFor(timeout);
  const untilState = (pod: string, state: string) =>
    page.locator(`.panel:first-child [data-pod="${pod}"].state-${state}`).waitFor(timeout);

  await untilVerdicts(page, "BALANCED PINNED BALANCED BALANCED");
  await press("kill");
  await untilState("server-1", "gone");
  await press("start");
  await happened("D server-4 is ready");
  // The list of round_robin has the killed pod still, and never the new one.
  await untilVerdicts(page, "BALANCED PINNED SKEWED BALANCED");
  const picture = await takePicture(page);
  assert.ok(picture.length > 30_000 && picture.length < 200_000, `the picture has ${picture.length} bytes`);
  if (process.env.PICTURE) writeFileSync(process.env.PICTURE, picture);

  for (const [action, state] of [
    ["freeze", "frozen"],
    ["slow", "slow"],
  ] as const) {
    await press(action);
    await untilState("server-2", state);
    await press(action);
    await untilState("server-2", "ready");
  }
  await press("outage");
  await happened("are away");
  await press("outage");
  await happened("are back");
  await press("drain");
  await untilState("server-4", "gone");
  await press("replace");
  await happened("E server-5 is ready");
  await untilState("server-2", "gone");
  const buttons = await page.locator("[data-action]").evaluateAll((all) => all.map((each) => each.dataset.action));
  assert.deepEqual(buttons, ["start", "drain", "kill", "freeze", "slow", "replace", "outage", "pause"]);
}
