/// <reference lib="dom" />
/** The page in a real browser. Skipped where there is no Chromium. */
import assert from "node:assert/strict";
import { availableParallelism, loadavg } from "node:os";
import { test } from "node:test";
import { systemClock } from "@grpc-lb/core";
import type { Page } from "playwright-core";
import { measurePage } from "../testing/measure-page.ts";
import { callUntil, feed, useBrowser } from "../testing/use-browser.ts";

const { options, serve, open } = useBrowser();
/** How much longer work takes on a machine that runs other work; 1 when it does not. */
const slowdown = () => Math.max(1, (loadavg()[0] ?? 0) / availableParallelism());
const textOf = (page: Page, selector: string) => page.locator(selector).allInnerTexts();

test("each first paint comes within a second", options, async () => {
  const { compare } = await serve();
  for (let n = 0; n < 3; n++) {
    const page = await open(compare.url);
    await page.locator(".panel").nth(3).waitFor();
    const paint = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime);
    const boundMs = 1_000 * slowdown();
    assert.ok(paint !== undefined && paint < boundMs, `the first paint after ${paint} ms, the bound is ${boundMs} ms`);
  }
});

for (const [pods, more, nodes] of [
  [3, 0, 0],
  [6, 0, 0],
  [12, 0, 12],
  [26, 0, 4],
  [50, 0, 4],
  [50, 0, 50],
  [3, 2, 0],
  [3, 11, 0],
  [12, 11, 4],
  [3, 26, 0],
] as const) {
  const where = nodes === 0 ? "" : ` on ${nodes} nodes`;
  test(
    `${4 + more} panels with ${pods} pods${where} fit on a projector, and each shows all of its parts`,
    options,
    async () => {
      const { compare, sample } = await serve({ pods, more, nodes });
      const page = await open(compare.url, { reducedMotion: "reduce" });
      await page
        .locator(".panel")
        .nth(3 + more)
        .waitFor();
      await callUntil(
        sample,
        async () => (await page.locator(".verdict-balanced").count()) === 3,
        "the verdicts",
        8 * pods,
      );
      const size = await page.evaluate(() => {
        const { scrollWidth, scrollHeight } = document.documentElement;
        return [scrollWidth, scrollHeight];
      });
      assert.deepEqual(size, [1280, 720]);
      const outside = await page.locator(".panel").evaluateAll((panels) =>
        panels.flatMap((panel) => {
          const { left, right, top, bottom } = panel.getBoundingClientRect();
          return [...panel.querySelectorAll("h2, h3, .verdict, .source, .connections, .badge, dd")].flatMap((part) => {
            const box = part.getBoundingClientRect();
            if (part.getClientRects().length === 0) return []; // not displayed
            const isInside = box.left >= left && box.right <= right && box.top >= top && box.bottom <= bottom;
            return isInside ? [] : [`${panel.getAttribute("aria-label")}: ${part.outerHTML.slice(0, 80)}`];
          });
        }),
      );
      assert.deepEqual(outside, []);
    },
  );
}

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
  await page.route("**/actions/kill", (route) => route.fulfill({ status: 404, body: "no such action\n" }), {
    times: 1,
  });
  await page.locator('[data-action="kill"]').click();
  await page.getByRole("alert").filter({ hasText: "Kill: 404 no such action" }).waitFor();
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
  const { sample } = await serve({ pods: 2, port: Number(new URL(compare.url).port) });
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
  const { heapGrowthBytes, nodeGrowth, medianFrameMs, lateShare } = await measurePage(page, sample, load);
  // Less than 1 kB for each of the 800 calls: a page that keeps its calls is over it.
  assert.ok(heapGrowthBytes < 800_000, `the heap grew by ${heapGrowthBytes} bytes`);
  assert.ok(nodeGrowth < 50, `${nodeGrowth} nodes more`);
  const frameMs = 34 * slowdown();
  assert.ok(medianFrameMs <= frameMs, `a frame takes ${medianFrameMs} ms, the bound is ${frameMs} ms`);
  const share = 0.02 * slowdown();
  assert.ok(lateShare <= share, `${lateShare} of the frames come late, the bound is ${share}`);
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
      if (moves) {
        sample.call(40);
        await systemClock.sleep(1_500); // the dots have arrived, and the lines stay
        const still = await drawn();
        await callUntil(sample, async () => (await drawn()) !== still, "a dot that travels");
      } else {
        let [last, times] = [blank, 0];
        const isStill = async () => {
          const now = await drawn();
          times = now === last && now !== blank ? times + 1 : 0;
          last = now;
          return times === 5;
        };
        await callUntil(sample, isStill, "a drawing that stays the same while calls go on");
      }
    },
  );
}
