import assert from "node:assert/strict";
import { after, afterEach, before } from "node:test";
import { systemClock } from "@grpc-lb/core";
import { findChromium, noChromium } from "@grpc-lb/program/testing";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { launchChromium } from "./browser.ts";
import { type ComparePage, startComparePage } from "./compare-page.ts";
import { SampleComparison } from "./sample-comparison.ts";

/** For the tests of one file: a browser that is started before them, and pages and servers that are closed after each. */
export function useBrowser() {
  const found = findChromium();
  const options = { skip: found === undefined && noChromium };
  let browser: Browser | undefined;
  const ends: (() => Promise<unknown>)[] = [];

  before(async () => {
    if (found !== undefined) browser = await launchChromium(found);
  });

  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  after(async () => browser?.close());

  /** @param options.more clients besides the four of the sample */
  async function serve(
    options: { readonly pods?: number; readonly port?: number; readonly more?: number; readonly nodes?: number } = {},
  ): Promise<{ compare: ComparePage; sample: SampleComparison }> {
    const { pods = 3, port = 0, more = 0, nodes } = options;
    const compare = await startComparePage(port);
    ends.push(() => compare.stop());
    return { compare, sample: new SampleComparison(compare, pods, more, nodes) };
  }

  /** Opens the page, and fails the test on any error in it. */
  async function open(url: string, settings: BrowserContextOptions = {}): Promise<Page> {
    assert.ok(browser);
    const context = await browser.newContext({ viewport: { width: 1280, height: 720 }, ...settings });
    ends.push(() => context.close());
    const page = await context.newPage();
    const errors: string[] = [];
    page.on("pageerror", (error) => errors.push(String(error.stack)));
    page.on("console", (message) => {
      // A stream that was cut, and an action that was refused.
      const isExpected = message.text().includes("net::ERR_") || message.location().url.includes("/actions/");
      if (message.type() === "error" && !isExpected) errors.push(message.text());
    });
    ends.push(async () => assert.deepEqual(errors, []));
    await page.goto(url);
    return page;
  }

  return { options, serve, open };
}

/** Reports calls, `callsAtOnce` every 100 ms, until the condition holds. */
export async function callUntil(
  sample: SampleComparison,
  condition: () => Promise<boolean>,
  what: string,
  callsAtOnce = 20,
): Promise<void> {
  const endMs = systemClock.now() + 30_000;
  while (!(await condition())) {
    assert.ok(systemClock.now() < endMs, `${what}: not within 30 s`);
    sample.call(callsAtOnce);
    await systemClock.sleep(100);
  }
}

/** Waits until the page says this of its connection. */
export const feed = (page: Page, text: string) => page.locator(".feed", { hasText: text }).waitFor({ timeout: 15_000 });
