/// <reference lib="dom" />
/** The page in a real browser. Skipped where there is no Chromium. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "@grpc-lb/core";
import type { Page } from "playwright-core";
import { measurePage } from "../testing/measure-page.ts";
import { callUntil, feed, useBrowser } from "../testing/use-browser.ts";

const { options, serve, open } = useBrowser();
const textOf = (page: Page, selector: string) => page.locator(selector).allInnerTexts();

test("the first paint comes within a second, and the whole page fits on a projector", options, async () => {
  const { compare } = await serve();
  const paints: number[] = [];
  for (let n = 0; n < 3; n++) {
    const page = await open(compare.url);
    await page.locator(".panel").nth(3).waitFor();
    const paint = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime);
    paints.push(paint ?? Number.POSITIVE_INFINITY);
    const size = await page.evaluate(() => [
      document.documentElement.scrollWidth,
      document.documentElement.scrollHeight,
    ]);
    assert.deepEqual(size, [1280, 720]);
  }
  assert.ok(Math.min(...paints) < 1_000, `first paints after ${paints} ms`);
});

test("calls are drawn, and verdicts, shares, connections and failures are shown", options, async () => {
  const { compare, sample } = await serve();
  const page = await open(compare.url);
  const verdicts = async () => (await textOf(page, ".verdict")).map((text) => text.replace(/^\W+/, "").trim());
  const expected = ["BALANCED", "PINNED", "BALANCED", "BALANCED"];
  await callUntil(sample, async () => String(await verdicts()) === String(expected), "the verdicts");
  const drawn = await page.evaluate(() =>
    [...document.querySelectorAll<HTMLCanvasElement>(".stage canvas")].map((canvas) => {
      const { data } = canvas.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height) ?? { data: [] };
      return data.some((value) => value !== 0);
    }),
  );
  assert.deepEqual(drawn, [true, true, true, true]);
  const panels = page.locator(".panel");
  assert.equal(await panels.nth(1).locator(".share").nth(1).innerText(), "100 %");
  assert.match(await panels.nth(0).locator(".pipe").innerText(), /^one per call: \d+/);
  assert.equal(await panels.nth(1).locator(".pipe").count(), 1);
  assert.equal(await panels.nth(3).locator(".pipe").count(), 3);
  assert.match(await panels.nth(1).locator(".bad").innerText(), /failed\s+[1-9]/);
});

test("every button and every key is an action, and none works without the server", options, async () => {
  const { compare, sample } = await serve();
  const page = await open(compare.url);
  await feed(page, "live");
  for (const { name, key } of sample.actions) {
    const lines = () => compare.stdout.filter((line) => line.includes(`"action":"${name}"`)).length;
    await page.locator(`[data-action="${name}"]`).click();
    await callUntil(sample, async () => lines() === 1, `the button ${name}`);
    await page.keyboard.press(key);
    await callUntil(sample, async () => lines() === 2, `the key ${key}`);
  }
  await compare.stop();
  await feed(page, "cut off");
  for (const { name } of sample.actions) assert.ok(await page.locator(`[data-action="${name}"]`).isDisabled());
});

test("the keyboard reaches every button and the timeline", options, async () => {
  const { compare, sample } = await serve();
  const page = await open(compare.url);
  await feed(page, "live");
  const reached: string[] = [];
  for (let n = 0; n < sample.actions.length + 2; n++) {
    await page.keyboard.press("Tab");
    reached.push(
      await page.evaluate(
        () => (document.activeElement as HTMLElement).dataset.action ?? document.activeElement?.tagName ?? "",
      ),
    );
  }
  assert.deepEqual(reached, [...sample.actions.map(({ name }) => name), "pause", "OL"]);
});

test("the pause and a hidden page hold no connection, and both go on", options, async () => {
  const { compare, sample } = await serve();
  const page = await open(compare.url);
  await feed(page, "live");
  await page.keyboard.press("p");
  await feed(page, "paused");
  const calls = () => page.locator(".pipe").first().innerText();
  const before = await calls();
  sample.call(40);
  await page.locator('[data-action="pause"]', { hasText: "Go on" }).click();
  await feed(page, "live");
  await callUntil(sample, async () => (await calls()) !== before, "calls after the pause");
  const hide = (isHidden: boolean) =>
    page.evaluate((value) => {
      Object.defineProperty(document, "hidden", { configurable: true, value });
      document.dispatchEvent(new Event("visibilitychange"));
    }, isHidden);
  await hide(true);
  await feed(page, "paused");
  await hide(false);
  await feed(page, "live");
});

test("the page says that its stream is cut, and opens it again when the server is back", options, async () => {
  const { compare } = await serve();
  const page = await open(compare.url);
  await feed(page, "live");
  await compare.stop();
  await feed(page, "cut off");
  const { sample } = await serve(2, Number(new URL(compare.url).port));
  await feed(page, "live");
  await callUntil(
    sample,
    async () => (await page.locator(".panel").first().locator(".row").count()) === 2,
    "the new pods",
  );
});

test("at 200 calls a second memory and nodes do not grow, and frames come in time", options, async () => {
  const { compare, sample } = await serve();
  const page = await open(compare.url);
  await feed(page, "live");
  const load = { callsPerSecond: 200, durationMs: 4_000 };
  await measurePage(page, sample, load);
  const { heapGrowthBytes, nodeGrowth, medianFrameMs } = await measurePage(page, sample, load);
  assert.ok(heapGrowthBytes < 5_000_000, `the heap grew by ${heapGrowthBytes} bytes`);
  assert.ok(nodeGrowth < 200, `${nodeGrowth} nodes more`);
  assert.ok(medianFrameMs < 100, `a frame takes ${medianFrameMs} ms`);
});

for (const [reducedMotion, moves] of [
  ["reduce", false],
  ["no-preference", true],
] as const) {
  test(
    `with the motion preference ${reducedMotion} calls ${moves ? "travel" : "do not move"}, and lines are drawn`,
    options,
    async () => {
      const { compare, sample } = await serve();
      const page = await open(compare.url, { reducedMotion });
      const drawn = () =>
        page.evaluate(() => {
          const canvas = document.querySelectorAll<HTMLCanvasElement>(".stage canvas")[1];
          return canvas?.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height).data.join("") ?? "";
        });
      const blank = await drawn();
      await callUntil(sample, async () => (await drawn()) !== blank, "the lines");
      const isSame = async () => {
        sample.call(40);
        await systemClock.sleep(1_500); // the dots have arrived, and the lines stay
        const before = await drawn();
        sample.call(4);
        await systemClock.sleep(300);
        return before === (await drawn());
      };
      // The first lines may still come when the browser is slow.
      const results = [await isSame(), await isSame()];
      assert.equal(results.at(-1), !moves);
    },
  );
}
