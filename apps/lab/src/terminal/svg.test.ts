import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createTerminal, feed, readCells } from "./emulator.ts";
import { renderSvg } from "./svg.ts";

async function cellsOf(text: string) {
  const terminal = createTerminal(20, 3);
  await feed(terminal, text);
  return readCells(terminal);
}

describe("an SVG", () => {
  it("draws text in its colours, bars and rules as shapes, and escapes XML", async () => {
    const cells = await cellsOf("\x1b[1;31ma<b\x1b[0m\r\n\x1b[38;5;38m█▌\x1b[0m──");
    const svg = renderSvg({ title: "a & b", columns: 20, frames: [{ atMs: 0, cells }], restMs: 0 });
    assert.match(svg, /<text [^>]*class="b" style="fill:#ff7b72">a&lt;b<\/text>/);
    assert.match(svg, /<rect [^>]*width="12.6" height="12" fill="#00afd7"\/>/);
    assert.match(svg, /<rect [^>]*width="16.8" height="1" /);
    assert.match(svg, /<title>a &amp; b<\/title>/);
  });

  it("hides the rows that are not in the last frame when animation is off", async () => {
    const frames = [
      { atMs: 0, cells: await cellsOf("same\r\nfirst") },
      { atMs: 1_000, cells: await cellsOf("same\r\nsecond") },
    ];
    const svg = renderSvg({ title: "x", columns: 20, frames, restMs: 1_000 });
    assert.match(svg, /\.past\{visibility:hidden\}/);
    assert.match(svg, /^<text [^>]*>same<\/text>$/m);
    assert.match(svg, /<g class="r0 past"><text [^>]*>first</);
    assert.match(svg, /<g class="r1"><text [^>]*>second</);
    assert.match(svg, /@keyframes r0\{0%\{visibility:visible\}50%\{visibility:hidden\}to\{visibility:hidden\}\}/);
    assert.match(svg, /@keyframes r1\{0%\{visibility:hidden\}50%\{visibility:visible\}to\{visibility:visible\}\}/);
  });
});
