/** What axe-core finds on the page in a real browser. Skipped where there is no Chromium. */
import assert from "node:assert/strict";
import { test } from "node:test";
import axe from "axe-core";
import type { Page } from "playwright-core";
import { callUntil, feed, useBrowser } from "../testing/use-browser.ts";

const { options, serve, open } = useBrowser();

/** @param rules the rules that are checked. Default: all */
async function check(page: Page, rules?: readonly string[]): Promise<readonly string[]> {
  const { violations } = await page.evaluate(
    (runOnly) => (globalThis as unknown as { axe: typeof axe }).axe.run(runOnly ? { runOnly } : {}),
    rules && [...rules],
  );
  return violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`)}`,
  );
}

for (const [pods, more] of [
  [2, 0],
  [3, 0],
  [50, 0],
  [12, 11],
] as const) {
  test(`axe finds nothing with ${pods} pods and ${4 + more} panels on a light and a dark page`, options, async () => {
    const { compare, sample } = await serve({ pods, more });
    // Calls that travel would cost the most, and are not what axe reads.
    const page = await open(compare.url, { colorScheme: "light", reducedMotion: "reduce", bypassCSP: true }); // for axe
    await feed(page, "live");
    const isJudged = async () => (await page.locator(".verdict-balanced").count()) === 3;
    await callUntil(sample, isJudged, "the verdicts", 8 * pods);
    await page.addScriptTag({ content: axe.source });
    assert.deepEqual(await check(page), [], "light");
    await page.emulateMedia({ colorScheme: "dark" });
    assert.deepEqual(await check(page, ["color-contrast"]), [], "dark, which has other colours alone");
  });
}
