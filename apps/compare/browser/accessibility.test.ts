/** What axe-core finds on the page in a real browser. Skipped where there is no Chromium. */
import assert from "node:assert/strict";
import { test } from "node:test";
import axe from "axe-core";
import { callUntil, feed, useBrowser } from "../testing/use-browser.ts";

const { options, serve, open } = useBrowser();

for (const [pods, more] of [
  [2, 0],
  [3, 0],
  [50, 0],
  [12, 11],
] as const) {
  for (const colorScheme of ["light", "dark"] as const) {
    test(`axe finds nothing with ${pods} pods and ${4 + more} panels on a ${colorScheme} page`, options, async () => {
      const { compare, sample } = await serve({ pods, more });
      const page = await open(compare.url, { colorScheme, bypassCSP: true }); // for axe alone
      await feed(page, "live");
      await callUntil(sample, async () => (await page.locator(".verdict-balanced").count()) === 3, "the verdicts");
      await page.addScriptTag({ content: axe.source });
      const { violations } = await page.evaluate(() => (globalThis as unknown as { axe: typeof axe }).axe.run());
      assert.deepEqual(
        violations.map(
          ({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`)}`,
        ),
        [],
      );
    });
  }
}
